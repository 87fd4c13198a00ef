//! Records of a dialogue, in which a program asks line by line through a pipe.

use serde::Serialize;

/// An entry of the input that is not an address. It stands where its answer would, so
/// that each entry gets one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "malformed")]
pub struct MalformedLine<'a> {
    /// The line of the input, counted from 1.
    pub line: u64,
    /// The entry, cut after 64 bytes; empty where a whole line is malformed.
    pub text: &'a str,
    /// What is wrong with it.
    pub cause: &'a str,
}

/// The end of the answers to a line of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "end")]
pub struct EndLine {
    /// The line, counted from 1.
    pub line: u64,
}
