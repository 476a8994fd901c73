//! Checks that a pattern cannot make: checksums, ranges, entropy, allow-lists.

use std::fmt;
use std::sync::Arc;

/// A check on the text of one candidate match.
///
/// Every start and every end that the pattern allows is tried, so a validator never has to guess.
#[derive(Clone)]
pub struct Validator {
    name: String,
    accepts: Arc<dyn Fn(&[u8]) -> bool + Send + Sync>,
}

impl Validator {
    /// A validator of your own. It must give the same answer for the same bytes each time.
    pub fn new(name: impl Into<String>, accepts: impl Fn(&[u8]) -> bool + Send + Sync + 'static) -> Validator {
        Validator { name: name.into(), accepts: Arc::new(accepts) }
    }

    /// The validator's name in rule files.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether `candidate` may count as a match.
    pub fn accepts(&self, candidate: &[u8]) -> bool {
        (self.accepts)(candidate)
    }
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Validator").field(&self.name).finish()
    }
}
