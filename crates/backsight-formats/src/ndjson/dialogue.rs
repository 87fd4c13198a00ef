//! Lines for a program that sends addresses through a pipe, and reads the answers line by line.

use serde::Serialize;

/// An entry of the input that is not an address. It is written in place of the answer, so that each
/// entry has one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "malformed")]
pub struct MalformedLine<'a> {
    /// The line of the input, counted from 1.
    pub line: u64,
    /// The first 64 bytes of the entry; empty if a whole line is malformed.
    pub text: &'a str,
    /// What is wrong with it.
    pub cause: &'a str,
}

/// The end of the answers to one line of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "end")]
pub struct EndLine {
    /// The line of the input, counted from 1.
    pub line: u64,
}
