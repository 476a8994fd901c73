//! The house has floors, and each uses only itself and those below: every `crate::` path is walked.

use std::fs;
use std::path::{Path, PathBuf};

/// From the ground up. `body`, `tower` and `sidecar` are the ways in.
const FLOORS: [&str; 12] =
    ["error", "rule", "scan", "policy", "hold", "wire", "net", "check", "body", "quota", "tower", "sidecar"];

/// Crates that the floors which only compute must not know: no I/O, no clock, no async, no randomness.
const SEALED_UP_TO: &str = "wire";
const SEALED_AGAINST: [&str; 12] = [
    "tokio",
    "hyper",
    "http",
    "futures",
    "tracing",
    "std::fs",
    "std::thread",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "SystemTime",
    "Instant::now",
];

#[test]
fn no_path_points_up() {
    let mut faults = Vec::new();
    for file in sources() {
        let Some(floor) = floor_of(&file) else { continue };
        for (line, code) in code_lines(&file) {
            for target in paths_to(&code).filter_map(|name| FLOORS.iter().position(|floor| *floor == name)) {
                if target > floor {
                    faults.push(format!("{}:{line}: {} uses {}", file.display(), FLOORS[floor], FLOORS[target]));
                }
            }
        }
    }
    assert!(faults.is_empty(), "paths that point up:\n{}", faults.join("\n"));
}

#[test]
fn floors_that_compute_do_nothing_else() {
    let top = FLOORS.iter().position(|floor| *floor == SEALED_UP_TO).expect("a floor");
    let mut faults = Vec::new();
    for file in sources() {
        if floor_of(&file).is_none_or(|floor| floor > top) || is_test(&file) {
            continue;
        }
        for (line, code) in code_lines(&file) {
            for name in SEALED_AGAINST.iter().filter(|name| mentions(&code, name)) {
                faults.push(format!("{}:{line}: {name}", file.display()));
            }
        }
    }
    assert!(faults.is_empty(), "floors up to {SEALED_UP_TO} that reach outside:\n{}", faults.join("\n"));
}

#[test]
fn every_file_stands_on_a_floor() {
    for file in sources() {
        let name = file.strip_prefix(root()).expect("below the root").to_string_lossy().replace('\\', "/");
        let is_outside = name == "lib.rs" || name == "main.rs" || name.starts_with("cli/");
        assert!(is_outside || floor_of(&file).is_some(), "{name} belongs to no floor");
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the sources are here") {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}

fn floor_of(file: &Path) -> Option<usize> {
    let first = file.strip_prefix(root()).ok()?.components().next()?;
    let name = first.as_os_str().to_str()?.trim_end_matches(".rs").to_owned();
    FLOORS.iter().position(|floor| *floor == name)
}

/// Modules that are only compiled for tests have files of these names.
fn is_test(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name == "tests.rs" || name == "test_data.rs")
}

/// Lines with their numbers, without comments and without what follows `mod tests`.
fn code_lines(file: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(file).expect("sources are UTF-8");
    let until_tests = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    (1..)
        .zip(until_tests.lines())
        .map(|(number, line)| (number, line.split("//").next().unwrap_or_default().to_owned()))
        .collect()
}

/// The modules that the `crate::` paths of a line lead to, `use crate::{a, b::c}` included.
fn paths_to(code: &str) -> impl Iterator<Item = String> + '_ {
    code.match_indices("crate::").flat_map(|(at, found)| {
        let rest = &code[at + found.len()..];
        let group = rest.strip_prefix('{').map(|group| group.split('}').next().unwrap_or_default());
        let names: Vec<String> = match group {
            Some(group) => group.split(',').map(first_name).collect(),
            None => vec![first_name(rest)],
        };
        names
    })
}

fn first_name(path: &str) -> String {
    path.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn mentions(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + name.len()..].chars().next();
        let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        // A crate's name counts where a path begins with it, a type's anywhere.
        let is_crate = !name.contains("::") && name.starts_with(|c: char| c.is_lowercase());
        !is_part(before) && !is_part(after) && (!is_crate || after == Some(':'))
    })
}

#[test]
fn paths_are_found() {
    let found: Vec<String> = paths_to("use crate::{rule, scan::Cursor}; let x = crate::hold::Channel;").collect();
    assert_eq!(found, ["rule", "scan", "hold"]);
    assert!(mentions("use tokio::net;", "tokio") && !mentions("my_tokio::x", "tokio"));
}
