//! Numbers that nobody knows beforehand.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

/// One of them. Each map of the standard library is keyed anew from the system's entropy.
pub(crate) fn number() -> u64 {
    RandomState::new().build_hasher().finish()
}
