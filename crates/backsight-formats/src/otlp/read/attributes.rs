//! Reads attributes: labels of samples, and those for process and thread.

use backsight_profile::{Label, LabelValue, StrIdx};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::profiles::v1development::KeyValueAndUnit;

use super::super::keys;
use super::attribute::{ReadAttribute, Role};
use super::reader::Reader;
use crate::protobuf::{Error, decode};

/// Converts a value of any type to JSON; bytes become hexadecimal digits.
fn json_of(value: Option<Value>) -> serde_json::Value {
    let of = |value: AnyValue| json_of(value.value);
    match value {
        Some(Value::StringValue(text)) => text.into(),
        Some(Value::BoolValue(value)) => value.into(),
        Some(Value::IntValue(number)) => number.into(),
        Some(Value::StringValueStrindex(place)) => place.into(),
        Some(Value::DoubleValue(number)) => number.into(),
        Some(Value::ArrayValue(list)) => list.values.into_iter().map(of).collect(),
        Some(Value::KvlistValue(list)) => {
            let rows = list.values.into_iter();
            let rows = rows.map(|row| (row.key, row.value.map_or(serde_json::Value::Null, of)));
            serde_json::Value::Object(rows.collect())
        }
        Some(Value::BytesValue(bytes)) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            digits.into()
        }
        None => serde_json::Value::Null,
    }
}

impl Reader<'_> {
    /// Reads an attribute that is not in the dictionary.
    pub(super) fn key_value(&mut self, row: &[u8]) -> Result<Option<ReadAttribute>, Error> {
        self.check_attribute(row)?;
        let why_not = "attributes that cannot be decoded";
        let Some(row) = decode::<KeyValue>(row, why_not, &mut self.state.flaws) else {
            return Ok(None);
        };
        let strings = &mut self.state.profile.strings;
        let key = match row.key.as_str() {
            "" => {
                let place = row.key_strindex.into();
                (self.dictionary.texts).text(place, strings, &mut self.state.flaws)
            }
            key => Some(strings.intern(key)),
        };
        Ok(self.attribute(key, row.value, 0))
    }

    /// Reads an attribute of the dictionary.
    pub(super) fn row_attribute(&mut self, row: &[u8]) -> Result<Option<ReadAttribute>, Error> {
        self.check_attribute(row)?;
        let why_not = "attributes that cannot be decoded";
        let Some(row) = decode::<KeyValueAndUnit>(row, why_not, &mut self.state.flaws) else {
            return Ok(None);
        };
        let strings = &mut self.state.profile.strings;
        let place = row.key_strindex.into();
        let key = (self.dictionary.texts).text(place, strings, &mut self.state.flaws);
        Ok(self.attribute(key, row.value, row.unit_strindex))
    }

    /// Checks the memory for decoding: a list of values takes thirty times its encoded size.
    pub(super) fn check_attribute(&self, row: &[u8]) -> Result<(), Error> {
        self.state
            .budget
            .check(row.len().saturating_mul(size_of::<AnyValue>()))
    }

    fn attribute(
        &mut self,
        key: Option<StrIdx>,
        value: Option<AnyValue>,
        unit: i32,
    ) -> Option<ReadAttribute> {
        let Some(key) = key else {
            self.state.flaws.count("attributes without a name");
            return None;
        };
        let strings = &mut self.state.profile.strings;
        let value = match value.and_then(|value| value.value) {
            Some(Value::StringValue(text)) => LabelValue::Text(strings.intern(&text)),
            Some(Value::StringValueStrindex(place)) => {
                let text =
                    (self.dictionary.texts).text(place.into(), strings, &mut self.state.flaws);
                LabelValue::Text(text.unwrap_or_else(|| strings.intern("")))
            }
            Some(Value::IntValue(number)) => {
                let unit =
                    (self.dictionary.texts).text(unit.into(), strings, &mut self.state.flaws);
                LabelValue::Number(number, unit)
            }
            Some(Value::BoolValue(value)) => LabelValue::Text(strings.intern(&value.to_string())),
            Some(Value::DoubleValue(value)) => LabelValue::Text(strings.intern(&value.to_string())),
            Some(list @ (Value::ArrayValue(_) | Value::KvlistValue(_) | Value::BytesValue(_))) => {
                self.state.flaws.change(
                    "attributes that are neither texts nor numbers: read as JSON texts",
                    1,
                );
                LabelValue::Text(strings.intern(&json_of(Some(list)).to_string()))
            }
            None => {
                self.state.flaws.leave_out("attributes without a value");
                return None;
            }
        };
        let small = match value {
            LabelValue::Number(number, None) => u32::try_from(number).ok(),
            _ => None,
        };
        let text = match value {
            LabelValue::Text(text) => Some(text),
            LabelValue::Number(..) => None,
        };
        let role = match strings.get(key).unwrap_or_default() {
            keys::PID => small.map(Role::Pid),
            keys::TID => small.map(Role::Tid),
            keys::PROCESS_NAME => text.map(Role::ProcessName),
            keys::THREAD_NAME => text.map(Role::ThreadName),
            _ => None,
        };
        Some(ReadAttribute {
            label: Label { key, value },
            role,
        })
    }
}
