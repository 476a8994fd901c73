//! From what people write to what the automaton is built from.

pub(crate) struct Lowered {}
pub(crate) fn lower() -> Lowered {
    Lowered {}
}
