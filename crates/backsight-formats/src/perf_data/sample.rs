//! One sample: who was where, and what the registers and the stack held.

use backsight_types::{AbsAddr, Lookup};

use super::attr::{Attr, sample};
use super::bytes::Bytes;
use super::raw::RawRecord;

/// A sample, as the kernel wrote it.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// When, in nanoseconds of the recording's clock.
    pub time_ns: Option<u64>,
    /// The process; `u32::MAX` for one that is about to be gone.
    pub pid: u32,
    /// The thread.
    pub tid: u32,
    /// The processor.
    pub cpu: Option<u32>,
    /// The place of its event among those of the header.
    pub event: usize,
    /// How much of what the event counts it stands for.
    pub period: u64,
    /// Where the program counter stood.
    pub pc: Option<AbsAddr>,
    /// Whose instruction that was.
    pub context: Context,
    /// The user's registers and stack, to be unwound.
    pub user: Option<UserStack<'a>>,
    /// The call chain as numbers, in the byte order of the file.
    chain: &'a [u8],
    big: bool,
}

/// What user code's registers and the top of its stack held.
#[derive(Clone, Copy, Debug)]
pub struct UserStack<'a> {
    /// Whether the process ran 32-bit code.
    pub is_32_bit: bool,
    /// Which registers were taken, by the numbers of `asm/perf_regs.h`.
    mask: u64,
    regs: &'a [u8],
    /// The stack's memory, from the stack pointer upwards.
    pub stack: &'a [u8],
    big: bool,
}

/// Whose code an address belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Context {
    /// The process.
    #[default]
    User,
    /// The kernel.
    Kernel,
    /// The hypervisor.
    Hypervisor,
    /// A guest, whose addresses mean nothing here.
    Guest,
}

/// One entry of a call chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainEntry {
    /// The address as captured.
    pub addr: AbsAddr,
    /// How it is to be looked up. The first of each context is where that code stood;
    /// the others are where calls return to.
    pub lookup: Lookup,
    /// Whose code it is.
    pub context: Context,
}

/// `PERF_CONTEXT_*` stands among the addresses, and names whose the next ones are.
/// No address is above the lowest of them.
const CONTEXT_MAX: u64 = (-4095_i64).cast_unsigned();

impl Context {
    fn of_marker(marker: u64) -> Self {
        match marker.cast_signed() {
            -32 => Self::Hypervisor,
            -128 => Self::Kernel,
            -2048 | -2176 | -2560 => Self::Guest,
            // -512, and markers to come.
            _ => Self::User,
        }
    }

    /// Reads `PERF_RECORD_MISC_CPUMODE_MASK`.
    pub(super) fn of_misc(misc: u16) -> Self {
        match misc & 7 {
            1 => Self::Kernel,
            3 => Self::Hypervisor,
            4 | 5 => Self::Guest,
            _ => Self::User,
        }
    }
}

/// A sample that was read, and where in its record the long parts are. It borrows from
/// nothing, so that a reader can look before it gives a sample out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fields {
    time_ns: Option<u64>,
    pid: u32,
    tid: u32,
    cpu: Option<u32>,
    period: u64,
    pc: Option<AbsAddr>,
    chain: Part,
    user: Option<UserFields>,
}

#[derive(Clone, Copy, Debug, Default)]
struct UserFields {
    is_32_bit: bool,
    mask: u64,
    regs: Part,
    stack: Part,
}

/// Bytes of a record.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    start: usize,
    len: usize,
}

impl Part {
    /// Takes the next `size` bytes of `at`, which is the rest of `record`.
    fn take(at: &mut Bytes<'_>, record: &RawRecord<'_>, size: u64) -> Option<Self> {
        let start = record.body.len().checked_sub(at.rest().len())?;
        let len = at.take_u64(size)?.len();
        Some(Self { start, len })
    }

    fn of<'a>(self, record: &RawRecord<'a>) -> &'a [u8] {
        let rest = record.body.get(self.start..).unwrap_or_default();
        rest.get(..self.len).unwrap_or_default()
    }
}

impl Fields {
    /// Reads a sample that is laid out as `attr` says; `None` for one that is not.
    pub(super) fn parse(record: &RawRecord<'_>, attr: &Attr, time: u64) -> Option<Self> {
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
        fields.time_ns = word(at, sample::TIME)?.map(|_| time);
        word(at, sample::ADDR)?;
        word(at, sample::ID)?;
        word(at, sample::STREAM_ID)?;
        if attr.has(sample::CPU) {
            fields.cpu = Some(at.u32()?);
            at.u32()?;
        }
        // Without it each sample stands for the period that was asked for.
        let otherwise = if attr.is_freq { 1 } else { attr.period };
        fields.period = word(at, sample::PERIOD)?.unwrap_or(otherwise);
        if attr.has(sample::READ) {
            skip_read(at, attr.read_format)?;
        }
        if attr.has(sample::CALLCHAIN) {
            let size = at.u64()?.checked_mul(8)?;
            fields.chain = Part::take(at, record, size)?;
        }
        if attr.has(sample::RAW) {
            let size = at.u32()?;
            at.take_u64(u64::from(size))?;
        }
        if attr.has(sample::BRANCH_STACK) {
            skip_branches(at, attr.branch_type)?;
        }
        if attr.has(sample::REGS_USER | sample::STACK_USER) {
            fields.user = user_fields(at, record, attr)?;
        }
        Some(fields)
    }

    /// Returns the sample, of the record that it was read from.
    pub(super) fn sample<'a>(&self, record: &RawRecord<'a>, event: usize) -> Sample<'a> {
        let big = record.big;
        Sample {
            time_ns: self.time_ns,
            pid: self.pid,
            tid: self.tid,
            cpu: self.cpu,
            event,
            period: self.period,
            pc: self.pc,
            context: Context::of_misc(record.misc),
            user: self.user.map(|user| UserStack {
                is_32_bit: user.is_32_bit,
                mask: user.mask,
                regs: user.regs.of(record),
                stack: user.stack.of(record),
                big,
            }),
            chain: self.chain.of(record),
            big,
        }
    }
}

/// Reads registers and stack. The outer `None` says that the sample is damaged.
#[expect(clippy::option_option, reason = "damaged, or not there")]
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
            user.regs = Part::take(at, record, count.checked_mul(8)?)?;
        }
    }
    if attr.has(sample::STACK_USER) {
        let size = at.u64()?;
        user.stack = Part::take(at, record, size)?;
        if size > 0 {
            // Of the bytes taken, so many were really there.
            let valid = usize::try_from(at.u64()?).unwrap_or(usize::MAX);
            user.stack.len = user.stack.len.min(valid);
        }
    }
    user.is_32_bit = abi == ABI_32;
    // A kernel thread has none.
    let is_there = abi != 0 && attr.has(sample::STACK_USER);
    Some(is_there.then_some(user))
}

impl<'a> Sample<'a> {
    /// Walks over the call chain, innermost first; over the program counter alone when
    /// there is none.
    pub fn chain(&self) -> impl Iterator<Item = ChainEntry> {
        let mut at = Bytes::new(self.chain, self.big);
        let mut context = self.context;
        let mut lookup = Lookup::Exact;
        let is_empty = self.chain.is_empty();
        let mut alone = self.pc.filter(|_| is_empty);
        std::iter::from_fn(move || {
            if let Some(addr) = alone.take() {
                return Some(ChainEntry {
                    addr,
                    lookup,
                    context,
                });
            }
            loop {
                let number = at.u64()?;
                if number >= CONTEXT_MAX {
                    context = Context::of_marker(number);
                    lookup = Lookup::Exact;
                    continue;
                }
                let entry = ChainEntry {
                    addr: AbsAddr(number),
                    lookup,
                    context,
                };
                lookup = Lookup::Return;
                return Some(entry);
            }
        })
    }

    /// Returns the bytes of the call chain as they stand in the file: equal ones are
    /// equal chains. Empty when there is none.
    #[must_use]
    pub fn raw_chain(&self) -> &'a [u8] {
        self.chain
    }
}

/// `struct read_format`: what the counter showed.
fn skip_read(at: &mut Bytes<'_>, format: u64) -> Option<()> {
    const GROUP: u64 = 1 << 3;
    const TIMES: u64 = 3;
    const ID_AND_LOST: u64 = 1 << 2 | 1 << 4;
    let times = u64::from((format & TIMES).count_ones());
    let with_each = u64::from((format & ID_AND_LOST).count_ones()).checked_add(1)?;
    let words = match format & GROUP {
        0 => times.checked_add(with_each)?,
        _ => at.u64()?.checked_mul(with_each)?.checked_add(times)?,
    };
    at.take_u64(words.checked_mul(8)?).map(drop)
}

/// The branches taken last: 24 bytes each, and counters behind them.
fn skip_branches(at: &mut Bytes<'_>, branch_type: u64) -> Option<()> {
    const HW_INDEX: u64 = 1 << 17;
    const COUNTERS: u64 = 1 << 19;
    let count = at.u64()?;
    if branch_type & HW_INDEX != 0 {
        at.u64()?;
    }
    let each = if branch_type & COUNTERS != 0 { 32 } else { 24 };
    at.take_u64(count.checked_mul(each)?).map(drop)
}

impl UserStack<'_> {
    /// Returns a register, by its number in `asm/perf_regs.h`; `None` when it was not
    /// taken.
    #[must_use]
    pub fn register(&self, number: u32) -> Option<u64> {
        let bit = 1_u64.checked_shl(number)?;
        if self.mask & bit == 0 {
            return None;
        }
        let before = (self.mask & bit.wrapping_sub(1)).count_ones();
        let at = usize::try_from(before).ok()?.checked_mul(8)?;
        Bytes::new(self.regs.get(at..)?, self.big).u64()
    }

    /// Returns the word of the stack at `addr`, when the stack pointer is `sp`; `None`
    /// outside of what was taken.
    #[must_use]
    pub fn word(&self, sp: u64, addr: u64) -> Option<u64> {
        let at = usize::try_from(addr.checked_sub(sp)?).ok()?;
        Bytes::new(self.stack.get(at..)?, self.big).u64()
    }
}
