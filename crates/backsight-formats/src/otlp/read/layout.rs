//! Determines the field numbers of samples, which depend on the OTLP version.
//!
//! | | 1 | 2 | 3 | 4 | 5 |
//! |---|---|---|---|---|---|
//! | OTLP 1.8, 1.9 | stack | values | attributes | link | times |
//! | since OTLP 1.10 | stack | attributes | link | values | times |
//!
//! No field states the version. Each sample is parsed in both ways. It is valid if indices are in
//! the tables, no attribute is repeated, the link is a single number, and there are values, times,
//! or as many values as times. If it is valid in only one way, that is its version.
//!
//! Source: `profiles.proto` of github.com/open-telemetry/opentelemetry-proto, v1.9.0 and v1.10.0.

use crate::protobuf::{MessageFields, Value, varint};

/// The field numbers of one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    Since1_8,
    Since1_10,
}

/// A decoded sample.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SampleRow {
    pub(super) stack: i32,
    pub(super) attributes: Vec<i32>,
    pub(super) link: i32,
    pub(super) values: Vec<i64>,
    pub(super) times: Vec<u64>,
}

/// The sizes of the tables that samples refer to.
#[derive(Clone, Copy, Debug)]
pub(super) struct TableSizes {
    pub(super) stacks: usize,
    pub(super) attributes: usize,
    pub(super) links: usize,
}

/// The numbers of samples that are valid in only one version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Votes {
    pub(super) since_1_8: u64,
    pub(super) since_1_10: u64,
    /// Samples that are valid in both versions, with different meanings.
    pub(super) unclear: u64,
}

impl SampleRow {
    /// Decodes a sample; `None` if it cannot have this layout.
    pub(super) fn read(bytes: &[u8], layout: Layout) -> Option<Self> {
        let mut row = Self::default();
        let mut fields = MessageFields::new(bytes);
        while let Some((number, value)) = fields.next().ok()? {
            match (number, layout) {
                (1, _) => row.stack = index(value)?,
                (2, Layout::Since1_10) | (3, Layout::Since1_8) => {
                    numbers(value, |it| row.attributes.push(narrow(it)))?;
                }
                (3, Layout::Since1_10) | (4, Layout::Since1_8) => row.link = index(value)?,
                (4, Layout::Since1_10) | (2, Layout::Since1_8) => {
                    numbers(value, |it| {
                        row.values.push(i64::from_ne_bytes(it.to_ne_bytes()))
                    })?;
                }
                (5, _) => times(value, &mut row.times)?,
                // Fields of later versions.
                _ => {}
            }
        }
        Some(row)
    }

    /// Whether the sample is valid.
    fn is_sound(&self, tables: &TableSizes) -> bool {
        let leads = |index: i32, rows: usize| usize::try_from(index).is_ok_and(|at| at < rows);
        let mut attributes = self.attributes.clone();
        attributes.sort_unstable();
        let is_repeated = attributes
            .windows(2)
            .any(|pair| matches!(pair, [a, b] if a == b));
        let (values, times) = (self.values.len(), self.times.len());
        leads(self.stack, tables.stacks.max(1))
            && leads(self.link, tables.links.max(1))
            && attributes.len() < tables.attributes.max(1)
            && attributes
                .iter()
                .all(|it| *it != 0 && leads(*it, tables.attributes))
            && !is_repeated
            && (values != 0 || times != 0)
            && (values == 0 || times == 0 || values == times)
    }
}

impl Votes {
    /// Counts a sample.
    pub(super) fn count(&mut self, bytes: &[u8], tables: &TableSizes) {
        match of_sample(bytes, tables) {
            Some(Layout::Since1_8) => self.since_1_8 = self.since_1_8.saturating_add(1),
            Some(Layout::Since1_10) => self.since_1_10 = self.since_1_10.saturating_add(1),
            None if SampleRow::read(bytes, Layout::Since1_8)
                != SampleRow::read(bytes, Layout::Since1_10) =>
            {
                self.unclear = self.unclear.saturating_add(1);
            }
            None => {}
        }
    }

    /// Returns the layout of most samples; `None` if no sample determines it.
    pub(super) fn layout(self) -> Option<Layout> {
        match (self.since_1_8, self.since_1_10) {
            (0, 0) => None,
            (old, new) if old > new => Some(Layout::Since1_8),
            _ => Some(Layout::Since1_10),
        }
    }
}

/// Returns the only layout in which a sample is valid.
pub(super) fn of_sample(bytes: &[u8], tables: &TableSizes) -> Option<Layout> {
    let is_sound = |layout| SampleRow::read(bytes, layout).is_some_and(|row| row.is_sound(tables));
    match (is_sound(Layout::Since1_8), is_sound(Layout::Since1_10)) {
        (true, false) => Some(Layout::Since1_8),
        (false, true) => Some(Layout::Since1_10),
        _ => None,
    }
}

fn narrow(value: u64) -> i32 {
    // A negative `int32` is encoded as a 64-bit number.
    i32::try_from(i64::from_ne_bytes(value.to_ne_bytes())).unwrap_or(-1)
}

fn index(value: Value<'_>) -> Option<i32> {
    match value {
        Value::Varint(value) => Some(narrow(value)),
        _ => None,
    }
}

/// Reads repeated numbers, packed or not.
fn numbers(value: Value<'_>, mut take: impl FnMut(u64)) -> Option<()> {
    match value {
        Value::Varint(value) => take(value),
        Value::Bytes(mut packed) => {
            while !packed.is_empty() {
                take(varint(&mut packed)?);
            }
        }
        _ => return None,
    }
    Some(())
}

fn times(value: Value<'_>, times: &mut Vec<u64>) -> Option<()> {
    match value {
        Value::Fixed64(time) => times.push(time),
        Value::Bytes(packed) => {
            let (whole, rest) = packed.as_chunks::<8>();
            if !rest.is_empty() {
                return None;
            }
            times.extend(whole.iter().map(|time| u64::from_le_bytes(*time)));
        }
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::{Layout, TableSizes, of_sample};

    #[test]
    fn the_only_valid_layout_is_taken() {
        let tables = TableSizes {
            stacks: 2,
            attributes: 4,
            links: 1,
        };
        let (old, new) = (Some(Layout::Since1_8), Some(Layout::Since1_10));
        let cases: [(&str, &[u8], _); 9] = [
            (
                "values and attributes",
                b"\x08\x01\x12\x01\x05\x1a\x01\x02",
                old,
            ),
            ("a value alone", b"\x08\x01\x12\x01\x01", old),
            (
                "attributes and values",
                b"\x08\x01\x12\x01\x02\x22\x01\x05",
                new,
            ),
            ("a value alone, late", b"\x08\x01\x22\x01\x01", new),
            ("a value that is not packed", b"\x08\x01\x20\x03", new),
            (
                "two attributes and a time",
                b"\x08\x01\x12\x02\x01\x02\x2a\x08AAAAAAAA",
                new,
            ),
            (
                "a value that is no attribute, and a time",
                b"\x08\x01\x12\x01\x09\x2a\x08AAAAAAAA",
                old,
            ),
            (
                "1 and a time: a value or an attribute",
                b"\x08\x01\x12\x01\x01\x2a\x08AAAAAAAA",
                None,
            ),
            ("nothing", b"", None),
        ];
        for (name, bytes, want) in cases {
            assert_eq!(of_sample(bytes, &tables), want, "{name}");
        }
    }
}
