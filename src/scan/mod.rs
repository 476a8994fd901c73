//! rules to automaton
