//! A list that only grows, read without locks while another thread appends.

use std::sync::OnceLock;

/// Buckets of doubling size: an element never moves, so a reference to it stays good.
#[derive(Debug)]
pub(super) struct Append<T> {
    buckets: [OnceLock<Box<[OnceLock<T>]>>; BUCKETS],
}

const BUCKETS: usize = 26;
const FIRST_BUCKET: usize = 64;

impl<T> Append<T> {
    pub(super) fn new() -> Append<T> {
        Append { buckets: std::array::from_fn(|_| OnceLock::new()) }
    }

    pub(super) fn at(&self, index: usize) -> Option<&T> {
        let (bucket, offset) = locate(index);
        self.buckets.get(bucket)?.get()?.get(offset)?.get()
    }

    /// Sets the element at `index`, which must not have been set; the caller counts.
    pub(super) fn put(&self, index: usize, value: T) -> &T {
        let (bucket, offset) = locate(index);
        let slots = self.buckets[bucket]
            .get_or_init(|| std::iter::repeat_with(OnceLock::new).take(FIRST_BUCKET << bucket).collect());
        slots[offset].get_or_init(|| value)
    }
}

fn locate(index: usize) -> (usize, usize) {
    let bucket = (index / FIRST_BUCKET + 1).ilog2() as usize;
    (bucket, index - FIRST_BUCKET * ((1 << bucket) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_where_they_were_put() {
        let list = Append::new();
        for i in 0..10_000 {
            assert_eq!(list.at(i), None);
            list.put(i, i * 3);
        }
        assert!((0..10_000).all(|i| list.at(i) == Some(&(i * 3))));
    }
}
