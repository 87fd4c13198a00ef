//! The lines that only profiles have.

use serde::{Deserialize, Serialize};

/// What the samples mean. Stands before the first of them; a later line of this type
/// takes its place, as how long a capture took is known at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "profile")]
pub struct ProfileLine {
    /// What the values of a sample count, in their order.
    #[serde(default)]
    pub sample_types: Vec<JsonValueType>,
    /// Which of them is shown when nobody asks for another: a place among them, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_type: Option<u32>,
    /// How often samples were taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<JsonPeriod>,
    /// When the first sample could have been taken, in nanoseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_ns: Option<u64>,
    /// For how long samples were taken, in nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ns: Option<u64>,
    /// What the capture says of itself, for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comments: Vec<String>,
}

/// What a value counts, and in what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JsonValueType {
    /// What is counted.
    pub kind: String,
    /// In what.
    #[serde(default)]
    pub unit: String,
}

/// One sample for each so many units.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JsonPeriod {
    /// What is counted.
    pub kind: String,
    /// In what.
    #[serde(default)]
    pub unit: String,
    /// How many of them.
    pub value: i64,
}

/// A process. Stands before what names it; a later line of the same index takes its
/// place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "process")]
pub struct ProcessLine {
    /// What threads and mappings name it by, as a process ID can be used twice.
    pub index: u32,
    /// Its ID; 4294967295 for the kernel's own mappings.
    pub pid: u32,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it began, in nanoseconds on the clock of the samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_ns: Option<u64>,
    /// When it ended, on the same clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_ns: Option<u64>,
}

/// A thread. Stands before what names it; a later line of the same index takes its
/// place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "thread")]
pub struct ThreadLine {
    /// What samples name it by, as a thread ID can be used twice.
    pub index: u32,
    /// The index of its process.
    pub process: u32,
    /// Its ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tid: Option<u32>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What else is known of a module or of a place in code. Stands behind the line that it is
/// of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "attribute")]
pub struct AttributeLine {
    /// The index of the module, where it is of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<u32>,
    /// The number of the line of type `address`, where it is of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<u64>,
    /// What is known.
    #[serde(flatten)]
    pub label: JsonLabel,
}

/// What else is known of a sample: a text, or a number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JsonLabel {
    /// Its name.
    pub key: String,
    /// The text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The number, when there is no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<i64>,
    /// What the number counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}
