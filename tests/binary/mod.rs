//! The built binary, run the way a shell runs it.

#![allow(dead_code, reason = "each test crate uses its own part")]

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What a run left behind.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// The binary with these arguments, untouched by the environment of whoever runs the tests.
pub fn holdback(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdback"));
    command.args(args);
    for variable in ["POLICY", "LISTEN", "UPSTREAM", "UPSTREAM_CA", "ADMIN", "LOG"] {
        command.env_remove(format!("HOLDBACK_{variable}"));
    }
    command
}

/// Runs it to its end on this input.
pub fn run(args: &[&str], input: impl AsRef<[u8]>) -> Run {
    let mut child = holdback(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary is built");
    // It may end before it has read everything; then the rest of the input goes nowhere.
    let _ = child.stdin.take().expect("piped").write_all(input.as_ref());
    let output = child.wait_with_output().expect("it ends");
    Run {
        code: output.status.code().expect("it is not killed"),
        // A framing may be binary.
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// A file of this content, under a name that no other test uses.
pub fn file(name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, content).expect("the target folder is writable");
    path
}
