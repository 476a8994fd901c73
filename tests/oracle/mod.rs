//! A second reading of what rules mean, slow and plain, to hold the engine against.
//!
//! Both readings begin at one random syntax tree ([`ast`], [`generate`]) over five letters. [`write`] turns it
//! into the rule that the engine gets. The rest never sees the engine: [`ends`] says which substrings match,
//! [`live`] which of them could still become a match, [`meaning`] what must leave. [`drive`] pushes a text
//! through a channel in pieces, and [`property`] runs a check over many seeds and shrinks what fails.
//!
//! Nothing here shares code with the engine, and no regular expression library takes part.

#![allow(dead_code, reason = "each test binary uses the part it needs")]

pub mod ast;
pub mod drive;
pub mod ends;
pub mod generate;
pub mod live;
pub mod meaning;
pub mod property;
pub mod rng;
pub mod write;
