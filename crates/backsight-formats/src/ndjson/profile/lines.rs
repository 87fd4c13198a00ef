//! The types of lines that are only in whole profiles.

use serde::{Deserialize, Serialize};

/// The properties of a profile. This line precedes the first sample. A later line of this type
/// replaces it: the duration, for example, is only known at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "profile")]
pub struct ProfileLine {
    /// What the values of a sample count, in their order.
    #[serde(default)]
    pub sample_types: Vec<JsonValueType>,
    /// The index of the sample type that is shown by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_type: Option<u32>,
    /// The sampling period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<JsonPeriod>,
    /// The start of the recording, in nanoseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_ns: Option<u64>,
    /// The duration of the recording, in nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ns: Option<u64>,
    /// Comments for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comments: Vec<String>,
}

/// What a value counts, and its unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JsonValueType {
    /// What is counted.
    pub kind: String,
    /// The unit.
    #[serde(default)]
    pub unit: String,
}

/// A sampling period: one sample per `value` units.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JsonPeriod {
    /// What is counted.
    pub kind: String,
    /// The unit.
    #[serde(default)]
    pub unit: String,
    /// The number of units between samples.
    pub value: i64,
}

/// A process. This line precedes those that refer to it. A later line with the same index replaces
/// it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "process")]
pub struct ProcessLine {
    /// The index by which threads and mappings refer to it; process IDs can be reused.
    pub index: u32,
    /// The process ID; 4294967295 for the kernel's own mappings.
    pub pid: u32,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its start time, in nanoseconds on the clock of the samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_ns: Option<u64>,
    /// Its end time, on the same clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_ns: Option<u64>,
}

/// A thread. This line precedes those that refer to it. A later line with the same index replaces
/// it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "thread")]
pub struct ThreadLine {
    /// The index by which samples refer to it; thread IDs can be reused.
    pub index: u32,
    /// The index of its process.
    pub process: u32,
    /// The thread ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tid: Option<u32>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// An attribute of a module or location. This line follows that of the module or location.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "attribute")]
pub struct AttributeLine {
    /// The index of the module, if it is an attribute of a module.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<u32>,
    /// The index of the line of type `address`, if it is an attribute of a location.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<u64>,
    /// The attribute.
    #[serde(flatten)]
    pub label: JsonLabel,
}

/// A label: a name with a text or a number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JsonLabel {
    /// Its name.
    pub key: String,
    /// The text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The number, if there is no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<i64>,
    /// The unit of the number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}
