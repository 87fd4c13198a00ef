//! What `annotate` writes, by line and by address.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Annotated;
use crate::common::{json, of_type, run};

/// The amounts of records by a number of theirs, without those that have none.
fn amounts(records: &[Value], key: impl Fn(&Value) -> Option<u64>) -> BTreeMap<u64, (i64, i64)> {
    let mut all = BTreeMap::new();
    for record in records {
        let amount = |name: &str| record[name].as_i64().unwrap();
        let of = (amount("self"), amount("total"));
        if let (Some(key), true) = (key(record), of != (0, 0)) {
            assert_eq!(all.insert(key, of), None, "{record}");
        }
    }
    all
}

pub(crate) fn address_of(record: &Value) -> Option<u64> {
    let digits = record["address"].as_str()?.strip_prefix("0x")?;
    u64::from_str_radix(digits, 16).ok()
}

pub(crate) fn by_line(records: &[Value]) -> BTreeMap<u64, (i64, i64)> {
    amounts(&of_type(records, "line"), |it| it["line"].as_u64())
}

pub(crate) fn by_address(records: &[Value]) -> BTreeMap<u64, (i64, i64)> {
    amounts(&of_type(records, "instruction"), address_of)
}

pub(crate) fn annotate(of: &Annotated, input: &str, function: &str, more: &[&str]) -> Vec<Value> {
    let input = of.path(input);
    let args = ["annotate", &input, function, "--sample-type", "samples"];
    let args = [&args[..], &["--format", "json"], more].concat();
    json(&run(args).ok())
}
