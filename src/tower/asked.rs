//! What the client asked for in its request's body.

use crate::wire::UsageChunk;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a client asked for in its request's body, as far as anybody has read it.
///
/// The layer reads no request. Whoever does puts this among the request's extensions and may fill it in as late as
/// the body passes by: it is looked at when the response begins.
///
/// ```
/// use holdback::tower::Asked;
/// use holdback::wire::UsageChunk;
///
/// let asked = Asked::default();
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(asked.clone());
///
/// asked.found_include_usage();
/// assert_eq!(request.extensions().get::<Asked>().map(Asked::usage_chunk), Some(UsageChunk::Asked));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Asked {
    include_usage: Arc<AtomicBool>,
}

impl Asked {
    /// The request says `"stream_options": {"include_usage": true}`: its stream ends with a usage chunk, also when a
    /// policy ends it.
    pub fn found_include_usage(&self) {
        self.include_usage.store(true, Ordering::Relaxed);
    }

    /// Whether the client expects a usage chunk.
    pub fn usage_chunk(&self) -> UsageChunk {
        if self.include_usage.load(Ordering::Relaxed) { UsageChunk::Asked } else { UsageChunk::NotAsked }
    }
}
