//! Reads a trace packet by packet.

use std::io::Read;

use backsight_profile::Profile;
use hashbrown::HashMap;

use super::fields::each_field;
use super::heap::HeapProfiles;
use super::packed::unpack;
use super::packet::{Kind, PacketHead, data, kind_of};
use super::packets::Packets;
use super::places::{Names, SymbolPlaces};
use super::samples::{perf_sample, stack_sample, streaming_profile};
use super::sequence::Sequence;
use super::stacks::GrowingProfile;
use super::symbols::TraceSymbols;
use super::tasks::TaskNames;
use crate::flaws::Flaws;
use crate::protobuf::{Error, Limits, Value};

/// A trace that was read.
#[derive(Debug)]
pub(super) struct ReadTrace {
    pub(super) profile: Profile,
    pub(super) flaws: Flaws,
    pub(super) places: SymbolPlaces,
}

/// What is known of the trace so far.
#[derive(Debug)]
struct TraceReader {
    sequences: HashMap<u32, Sequence>,
    out: GrowingProfile,
    heaps: HeapProfiles,
    symbols: TraceSymbols,
    tasks: TaskNames,
}

/// Reads a trace to its end.
pub(super) fn read(input: impl Read, limits: &Limits, names: Names) -> Result<ReadTrace, Error> {
    let mut packets = Packets::new(input)?;
    let mut reader = TraceReader {
        sequences: HashMap::new(),
        out: GrowingProfile::new(limits, names),
        heaps: HeapProfiles::default(),
        symbols: TraceSymbols::default(),
        tasks: TaskNames::default(),
    };
    loop {
        let GrowingProfile { budget, flaws, .. } = &mut reader.out;
        match packets.next(budget, flaws)? {
            Some(packet) => reader.packet(packet, false)?,
            None => return reader.finish(),
        }
    }
}

impl TraceReader {
    fn packet(&mut self, packet: &[u8], is_unpacked: bool) -> Result<(), Error> {
        let head = PacketHead::of(packet)?;
        if !head.is_whole {
            self.out
                .flaws
                .count("packets that cannot be decoded to their end");
        }
        if !self.sequences.contains_key(&head.sequence) {
            self.out.budget.take_rows::<(u32, Sequence)>(2)?;
        }
        let sequence = self.sequences.entry(head.sequence).or_default();
        if head.is_cleared {
            sequence.clear();
        }
        let GrowingProfile { budget, flaws, .. } = &mut self.out;
        // What a packet introduces is for its own data, too.
        each_field(packet, |number, value| match (number, value) {
            (12, Value::Bytes(row)) => sequence.tables.take(row, budget, flaws),
            (59, Value::Bytes(row)) => sequence.defaults(row, budget, flaws),
            _ => Ok(()),
        })?;
        each_field(packet, |number, value| match value {
            Value::Bytes(row) if !matches!(number, 12 | 59) => {
                self.data(number, row, &head, is_unpacked)
            }
            _ => Ok(()),
        })?;
        Ok(())
    }

    fn data(
        &mut self,
        number: u32,
        row: &[u8],
        head: &PacketHead,
        is_unpacked: bool,
    ) -> Result<(), Error> {
        let out = &mut self.out;
        let Some(sequence) = self.sequences.get_mut(&head.sequence) else {
            return Ok(());
        };
        match number {
            data::PERF_SAMPLE => perf_sample(row, head, sequence, out),
            data::STREAMING_PROFILE => streaming_profile(row, sequence, out),
            data::STACK_SAMPLE => stack_sample(row, head, sequence, out),
            data::PROFILE => self.heaps.take(row, head.sequence, sequence, out),
            data::THREAD => sequence.thread(row, &mut out.flaws),
            data::MODULE_SYMBOLS => self.symbols.take(row, &mut out.budget, &mut out.flaws),
            data::PROCESS_TREE => self.tasks.take(row, &mut out.budget, &mut out.flaws),
            data::COMPRESSED | data::COMPRESSED_ZSTD if is_unpacked => {
                out.flaws
                    .count("compressed packets inside of compressed ones");
                Ok(())
            }
            data::COMPRESSED | data::COMPRESSED_ZSTD => self.compressed(number, row),
            data::SYNCHRONIZATION => Ok(()),
            data::DEOBFUSCATION => {
                out.flaws
                    .leave_out("mappings of obfuscated names, which are not applied");
                Ok(())
            }
            data::STREAMING_ALLOCATION => {
                out.flaws.leave_out("samples of streamed allocations");
                Ok(())
            }
            _ if kind_of(number) != Some(Kind::Number) => {
                out.flaws.leave_out("packets of other data");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn compressed(&mut self, number: u32, row: &[u8]) -> Result<(), Error> {
        let (packets, is_whole) = unpack(number, row, &self.out.budget)?;
        let is_read = each_field(&packets, |number, value| match (number, value) {
            (1, Value::Bytes(packet)) => self.packet(packet, true),
            _ => {
                self.out.flaws.leave_out("unknown fields of the trace");
                Ok(())
            }
        })?;
        if !is_whole || !is_read {
            self.out
                .flaws
                .count("compressed packets that are damaged or cut off");
        }
        Ok(())
    }

    fn finish(mut self) -> Result<ReadTrace, Error> {
        let mut open: Vec<_> = std::mem::take(&mut self.sequences).into_iter().collect();
        open.sort_unstable_by_key(|(number, _)| *number);
        for (number, mut sequence) in open {
            if !sequence.heap_rows.is_empty() {
                self.out
                    .flaws
                    .count("heap profiles whose end is not in the trace");
                self.heaps.commit(number, &mut sequence, &mut self.out)?;
            }
        }
        self.heaps.finish(&mut self.out)?;
        let GrowingProfile {
            mut profile,
            flaws,
            mut budget,
            places,
            ..
        } = self.out;
        let mut places = places.found;
        self.symbols.apply(&mut places, &mut profile, &mut budget)?;
        self.tasks.apply(&mut profile);
        Ok(ReadTrace {
            profile,
            flaws,
            places,
        })
    }
}
