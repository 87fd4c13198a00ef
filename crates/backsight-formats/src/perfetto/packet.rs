//! The fields of a packet, beside its data.

use super::fields::{each_field, low};
use crate::protobuf::{Error, Value};

/// What a field of a packet has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Message,
}

/// Returns what a field of a packet has; `None` if it is not known.
pub(super) fn kind_of(number: u32) -> Option<Kind> {
    match number {
        3 | 8 | 10 | 13 | 41 | 42 | 58 | 79 | 87 | 98 => Some(Kind::Number),
        1 | 2 | 4..=7 | 9 | 11 | 12 | 33..=40 | 43..=57 | 59..=78 | 82..=84 | 89 | 133 => {
            Some(Kind::Message)
        }
        _ => None,
    }
}

/// Numbers of fields with data.
pub(super) mod data {
    pub(in super::super) const PROCESS_TREE: u32 = 2;
    pub(in super::super) const PROFILE: u32 = 37;
    pub(in super::super) const SYNCHRONIZATION: u32 = 36;
    pub(in super::super) const THREAD: u32 = 44;
    pub(in super::super) const COMPRESSED: u32 = 50;
    pub(in super::super) const STREAMING_PROFILE: u32 = 54;
    pub(in super::super) const MODULE_SYMBOLS: u32 = 61;
    pub(in super::super) const DEOBFUSCATION: u32 = 64;
    pub(in super::super) const PERF_SAMPLE: u32 = 66;
    pub(in super::super) const STREAMING_ALLOCATION: u32 = 74;
    pub(in super::super) const COMPRESSED_ZSTD: u32 = 133;
    pub(in super::super) const STACK_SAMPLE: u32 = 135;
}

/// The fields of a packet that say how to read its data.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PacketHead {
    pub(super) sequence: u32,
    pub(super) timestamp: Option<u64>,
    pub(super) clock: Option<u32>,
    /// Whether what the sequence introduced before must not be used.
    pub(super) is_cleared: bool,
    /// Whether the packet can be decoded to its end.
    pub(super) is_whole: bool,
}

impl PacketHead {
    pub(super) fn of(packet: &[u8]) -> Result<Self, Error> {
        let mut head = Self::default();
        head.is_whole = each_field(packet, |number, value| {
            if let Value::Varint(value) = value {
                match number {
                    8 => head.timestamp = Some(value),
                    10 => head.sequence = low(value),
                    13 => head.is_cleared |= value & 1 != 0,
                    41 | 42 => head.is_cleared |= value != 0,
                    58 => head.clock = Some(low(value)),
                    _ => {}
                }
            }
            Ok(())
        })?;
        Ok(head)
    }
}
