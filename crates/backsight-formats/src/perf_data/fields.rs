//! The layout of a sample: the offsets of its fields in the record.
//!
//! Source: `PERF_RECORD_SAMPLE` in `include/uapi/linux/perf_event.h`.

use backsight_types::AbsAddr;
use backsight_types::trace::{Branches, ByteOrder, Context, SampleRecord, UserStack};

use super::attr::{Attr, branch, format, sample};
use super::cookie::cookie_of;
use super::raw::RawRecord;
use crate::bytes::Bytes;

/// A parsed sample, with the positions of its long fields in the record. It borrows nothing, so
/// that a reader can inspect a sample before returning it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SampleFields {
    pub(super) time_ns: Option<u64>,
    pub(super) pid: u32,
    pub(super) tid: u32,
    cpu: Option<u32>,
    pub(super) period: u64,
    pc: Option<AbsAddr>,
    /// The values of counters.
    pub(super) read: ByteSpan,
    /// The call chain, without the count that precedes it.
    pub(super) chain: ByteSpan,
    /// The cookie of a deferred user stack.
    pub(super) cookie: Option<u64>,
    raw: ByteSpan,
    branches: ByteSpan,
    branches_are_calls: bool,
    user: Option<UserFields>,
}

#[derive(Clone, Copy, Debug, Default)]
struct UserFields {
    is_32_bit: bool,
    mask: u64,
    regs: ByteSpan,
    stack: ByteSpan,
}

/// A range of bytes of a record.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ByteSpan {
    pub(super) start: usize,
    pub(super) len: usize,
}

impl ByteSpan {
    /// Takes the next `size` bytes of `at`, which is the rest of `record`.
    fn take(at: &mut Bytes<'_>, record: &RawRecord<'_>, size: u64) -> Option<Self> {
        let start = record.body.len().checked_sub(at.rest().len())?;
        let len = at.take_u64(size)?.len();
        Some(Self { start, len })
    }

    pub(super) fn of<'a>(self, record: &RawRecord<'a>) -> &'a [u8] {
        let rest = record.body.get(self.start..).unwrap_or_default();
        rest.get(..self.len).unwrap_or_default()
    }
}

impl SampleFields {
    /// Parses a sample of an event with this attribute; `None` if it is damaged.
    pub(super) fn parse(
        record: &RawRecord<'_>,
        attr: &Attr,
        time: Option<u64>,
        is_off_cpu: bool,
    ) -> Option<Self> {
        let mut at = Bytes::new(record.body, record.big);
        let at = &mut at;
        let word = |at: &mut Bytes<'_>, what| match attr.has(what) {
            true => at.u64().map(Some),
            false => Some(None),
        };
        let mut fields = Self::default();
        word(at, sample::IDENTIFIER)?;
        fields.pc = word(at, sample::IP)?.map(AbsAddr);
        if attr.has(sample::TID) {
            (fields.pid, fields.tid) = (at.u32()?, at.u32()?);
        }
        word(at, sample::TIME)?;
        fields.time_ns = time;
        word(at, sample::ADDR)?;
        word(at, sample::ID)?;
        word(at, sample::STREAM_ID)?;
        if attr.has(sample::CPU) {
            fields.cpu = Some(at.u32()?);
            at.u32()?;
        }
        // Without a recorded period, each sample stands for the requested period.
        let otherwise = if attr.is_freq { 1 } else { attr.period };
        fields.period = word(at, sample::PERIOD)?.unwrap_or(otherwise);
        if attr.has(sample::READ) {
            fields.read = read_part(at, record, attr.read_format)?;
        }
        if attr.has(sample::CALLCHAIN) {
            let size = at.u64()?.checked_mul(8)?;
            fields.chain = ByteSpan::take(at, record, size)?;
            fields.cookie = cookie_of(fields.chain.of(record), record.big);
        }
        if attr.has(sample::RAW) {
            let size = at.u32()?;
            fields.raw = ByteSpan::take(at, record, u64::from(size))?;
        }
        if attr.has(sample::BRANCH_STACK) {
            fields.branches = branch_part(at, record, attr.branch_type)?;
            fields.branches_are_calls = attr.branch_type & branch::CALL_STACK != 0;
        }
        if attr.has(sample::REGS_USER | sample::STACK_USER) {
            fields.user = user_fields(at, record, attr)?;
        }
        if is_off_cpu && fields.raw.len > 0 {
            fields.take_embedded(record)?;
        }
        Some(fields)
    }

    /// Reads the sample in the raw data, written by perf's BPF program: process and thread ID,
    /// nanoseconds, and a call chain.
    ///
    /// Source: `__set_offcpu_sample` in `tools/perf/util/evsel.c`.
    fn take_embedded(&mut self, record: &RawRecord<'_>) -> Option<()> {
        let outer = self.raw;
        let mut at = Bytes::new(outer.of(record), record.big);
        (self.pid, self.tid) = (at.u32()?, at.u32()?);
        self.period = at.u64()?;
        let size = at.u64()?.checked_mul(8)?;
        let before = outer.len.checked_sub(at.rest().len())?;
        let len = at.take_u64(size)?.len();
        let start = outer.start.checked_add(before)?;
        self.chain = ByteSpan { start, len };
        // The first word is a marker, which gives the kind of the addresses that follow.
        self.pc = Bytes::new(
            self.chain.of(record).get(8..).unwrap_or_default(),
            record.big,
        )
        .u64()
        .map(AbsAddr);
        Some(())
    }

    /// Returns the sample, of the record that it was parsed from, for one event.
    pub(super) fn sample<'a>(
        &self,
        record: &RawRecord<'a>,
        event: usize,
        period: u64,
    ) -> SampleRecord<'a> {
        let order = match record.big {
            true => ByteOrder::Big,
            false => ByteOrder::Little,
        };
        let chain = self.chain.of(record);
        let mut sample = SampleRecord::new(self.pid, self.tid).with_chain(chain, order);
        sample.time_ns = self.time_ns;
        sample.cpu = self.cpu;
        sample.event = event;
        sample.period = period;
        sample.pc = self.pc;
        sample.context = Context::of_misc(record.misc);
        sample.user = self.user.map(|user| {
            let (registers, stack) = (user.regs.of(record), user.stack.of(record));
            let mut taken = UserStack::new(user.mask, registers, stack, order);
            taken.is_32_bit = user.is_32_bit;
            taken
        });
        sample.raw = self.raw.of(record);
        sample.branches = Branches::new(self.branches.of(record), self.branches_are_calls, order);
        sample
    }
}

/// Parses user registers and stack. The outer `None` means that the sample is damaged.
#[expect(clippy::option_option, reason = "damaged, or absent")]
fn user_fields(
    at: &mut Bytes<'_>,
    record: &RawRecord<'_>,
    attr: &Attr,
) -> Option<Option<UserFields>> {
    const ABI_32: u64 = 1;
    let mut abi = 0;
    let mut user = UserFields {
        mask: attr.user_regs,
        ..UserFields::default()
    };
    if attr.has(sample::REGS_USER) {
        abi = at.u64()?;
        if abi != 0 {
            let count = u64::from(attr.user_regs.count_ones());
            user.regs = ByteSpan::take(at, record, count.checked_mul(8)?)?;
        }
    }
    if attr.has(sample::STACK_USER) {
        let size = at.u64()?;
        user.stack = ByteSpan::take(at, record, size)?;
        if size > 0 {
            // The number of bytes that the kernel could copy.
            let valid = usize::try_from(at.u64()?).unwrap_or(usize::MAX);
            user.stack.len = user.stack.len.min(valid);
        }
    }
    user.is_32_bit = abi == ABI_32;
    // Kernel threads have no user registers.
    let is_there = abi != 0 && attr.has(sample::STACK_USER);
    Some(is_there.then_some(user))
}

/// `struct read_format`: the values of counters.
fn read_part(at: &mut Bytes<'_>, record: &RawRecord<'_>, read_format: u64) -> Option<ByteSpan> {
    let times = u64::from((read_format & format::TIMES).count_ones());
    let with_each = read_format & (format::ID | format::LOST);
    let each = u64::from(with_each.count_ones()).checked_add(1)?;
    let words = match read_format & format::GROUP {
        0 => times.checked_add(each)?,
        _ => {
            let count = Bytes::new(at.rest(), record.big).u64()?;
            count
                .checked_mul(each)?
                .checked_add(times)?
                .checked_add(1)?
        }
    };
    ByteSpan::take(at, record, words.checked_mul(8)?)
}

/// The branch stack: entries of 24 bytes, followed by counters.
fn branch_part(at: &mut Bytes<'_>, record: &RawRecord<'_>, branch_type: u64) -> Option<ByteSpan> {
    let count = at.u64()?;
    if branch_type & branch::HW_INDEX != 0 {
        at.u64()?;
    }
    let part = ByteSpan::take(at, record, count.checked_mul(Branches::ENTRY_SIZE)?)?;
    if branch_type & branch::COUNTERS != 0 {
        at.take_u64(count.checked_mul(8)?)?;
    }
    Some(part)
}
