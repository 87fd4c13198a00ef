//! Walks over the fields of messages that are inside of a packet.

use crate::protobuf::{Error, MemoryBudget, MessageFields, Value, varint};

/// Hands each field of a message on. Returns whether the message is whole; what is behind damage is
/// not handed on.
pub(super) fn each_field<'a>(
    message: &'a [u8],
    mut take: impl FnMut(u32, Value<'a>) -> Result<(), Error>,
) -> Result<bool, Error> {
    let mut fields = MessageFields::new(message);
    loop {
        match fields.next() {
            Ok(Some((number, value))) => take(number, value)?,
            Ok(None) => return Ok(true),
            Err(_) => return Ok(false),
        }
    }
}

/// Adds the numbers of a repeated field, packed or not. Returns whether it has any.
pub(super) fn add_numbers(
    value: Value<'_>,
    into: &mut Vec<u64>,
    budget: &mut MemoryBudget,
) -> Result<bool, Error> {
    match value {
        Value::Varint(number) => {
            budget.take_rows::<u64>(2)?;
            into.push(number);
            Ok(true)
        }
        Value::Bytes(mut packed) => {
            budget.take_rows::<u64>(packed.len().saturating_mul(2))?;
            while !packed.is_empty() {
                let Some(number) = varint(&mut packed) else {
                    return Ok(false);
                };
                into.push(number);
            }
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// The lower 32 bits of a number, which are what protobuf's decoders keep of an `int32`.
pub(super) fn low(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or_default()
}

/// Converts the bits of an `int64` field.
pub(super) fn signed(number: u64) -> i64 {
    i64::from_ne_bytes(number.to_ne_bytes())
}
