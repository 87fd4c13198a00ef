//! What the weights of `StackSample` measure.

use super::fields::each_field;
use crate::flaws::Flaws;
use crate::protobuf::{Error, MemoryBudget, Value};

/// A counter, by which samples are weighted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Counter {
    pub(super) name: Box<str>,
    pub(super) unit: Box<str>,
    /// How many of the unit one of the weight is.
    pub(super) multiplier: u64,
}

impl Counter {
    /// Reads a `CounterDescriptor`, with its ID.
    pub(super) fn of(
        row: &[u8],
        budget: &mut MemoryBudget,
        flaws: &mut Flaws,
    ) -> Result<(u64, Self), Error> {
        let (mut iid, mut name, mut unit, mut multiplier) = (0, &[][..], &b"count"[..], 1);
        let is_whole = each_field(row, |number, value| {
            match (number, value) {
                (1, Value::Varint(value)) => iid = value,
                (2, Value::Bytes(value)) => name = value,
                (3, Value::Varint(1)) => unit = b"nanoseconds",
                (3, Value::Varint(4)) => unit = b"bytes",
                (4, Value::Bytes(value)) => unit = value,
                (5, Value::Varint(value)) => multiplier = value,
                _ => {}
            }
            Ok(())
        })?;
        if !is_whole {
            flaws.count("interned rows that cannot be decoded");
        }
        // A byte that is not UTF-8 becomes three.
        budget.take(name.len().saturating_add(unit.len()).saturating_mul(3))?;
        let name = String::from_utf8_lossy(name);
        let counter = Self {
            name: match &*name {
                "" => "weight".into(),
                name => name.into(),
            },
            unit: String::from_utf8_lossy(unit).into(),
            multiplier: multiplier.max(1),
        };
        Ok((iid, counter))
    }
}
