//! What the tests of this floor share: recorded streams, seeds, and small decoders.

use std::path::PathBuf;

/// A file of the folder `shared` beside the checkout, or `None`, said aloud, where it is absent.
pub(crate) fn shared(name: &str) -> Option<Vec<u8>> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")).join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(_) => {
            println!("skipped: {} is absent", path.display());
            None
        }
    }
}

/// The files in the folders of a folder of `shared`: folder, name, content. None, said aloud, where it is absent.
pub(crate) fn shared_folder(name: &str) -> Vec<(String, String, Vec<u8>)> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")).join(name);
    let Ok(folders) = std::fs::read_dir(&path) else {
        println!("skipped: {} is absent", path.display());
        return Vec::new();
    };
    let name_of = |path: &std::path::Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let files =
        folders.flatten().filter_map(|folder| Some((name_of(&folder.path()), std::fs::read_dir(folder.path()).ok()?)));
    let files = files.flat_map(|(folder, files)| files.flatten().map(move |file| (folder.clone(), file.path())));
    files.filter_map(|(folder, path)| Some((folder, name_of(&path), std::fs::read(&path).ok()?))).collect()
}

/// An input byte by byte, and cut in two at every place.
pub(crate) fn cuts(input: &[u8]) -> Vec<Vec<&[u8]>> {
    let halves = (0..=input.len()).map(|at| vec![&input[..at], &input[at..]]);
    halves.chain([input.chunks(1).collect()]).collect()
}

/// Decodes standard base64.
pub(crate) fn base64(text: &str) -> Vec<u8> {
    let value = |b: u8| match b {
        b'A'..=b'Z' => b - b'A',
        b'a'..=b'z' => b - b'a' + 26,
        b'0'..=b'9' => b - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => panic!("not base64: {b}"),
    };
    let mut out = Vec::new();
    let (mut bits, mut count) = (0u32, 0);
    for b in text.bytes().filter(|b| *b != b'=') {
        bits = bits << 6 | u32::from(value(b));
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    out
}

/// A small generator (xorshift64*); the same seed gives the same test.
pub(crate) struct Random(u64);

impl Random {
    /// The seed from `HOLDBACK_SEED`, or `default`; printed, so that a failure can be run again.
    pub(crate) fn seeded(default: u64) -> Random {
        let seed = std::env::var("HOLDBACK_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(default);
        println!("HOLDBACK_SEED={seed}");
        Random(seed | 1)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}
