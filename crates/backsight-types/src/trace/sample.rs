//! One sample: who was where, and what the registers and the stack held.

use crate::addr::AbsAddr;
use crate::outcome::Lookup;
use crate::trace::branches::Branches;
use crate::trace::byte_order::{ByteOrder, Words};
use crate::trace::chain::{ChainEntry, Context, marker};

/// A sample, as the kernel wrote it. [`SampleRecord::new`] begins one.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SampleRecord<'a> {
    /// When, in nanoseconds of the recording's clock.
    pub time_ns: Option<u64>,
    /// The process; `u32::MAX` for one that is about to be gone.
    pub pid: u32,
    /// The thread.
    pub tid: u32,
    /// The processor.
    pub cpu: Option<u32>,
    /// The place of its event among those that were recorded.
    pub event: usize,
    /// How much of what the event counts it stands for.
    pub period: u64,
    /// Where the program counter stood.
    pub pc: Option<AbsAddr>,
    /// Whose instruction that was.
    pub context: Context,
    /// The user's registers and stack, to be unwound.
    pub user: Option<UserStack<'a>>,
    /// What else its event had to say, in a form of its own: of a tracepoint its fields.
    pub raw: &'a [u8],
    /// The branches that were taken last.
    pub branches: Branches<'a>,
    /// The call chain as numbers.
    chain: &'a [u8],
    order: ByteOrder,
}

/// What user code's registers and the top of its stack held.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct UserStack<'a> {
    /// Whether the process ran 32-bit code.
    pub is_32_bit: bool,
    /// Which registers were taken, by the numbers of `asm/perf_regs.h`.
    mask: u64,
    regs: &'a [u8],
    /// The stack's memory, from the stack pointer upwards.
    pub stack: &'a [u8],
    order: ByteOrder,
}

impl<'a> SampleRecord<'a> {
    /// Begins a sample of this process and thread that stands for one of what its event
    /// counts. The other fields are set by themselves.
    #[must_use]
    #[inline]
    pub fn new(pid: u32, tid: u32) -> Self {
        Self {
            time_ns: None,
            pid,
            tid,
            cpu: None,
            event: 0,
            period: 1,
            pc: None,
            context: Context::User,
            user: None,
            raw: &[],
            branches: Branches::default(),
            chain: &[],
            order: ByteOrder::NATIVE,
        }
    }

    /// Takes the call chain as the kernel writes it: 64 bits each, innermost first, with
    /// [`marker`]s among the addresses. [`SampleRecord::raw`] is in this order too.
    #[must_use]
    #[inline]
    pub fn with_chain(self, chain: &'a [u8], order: ByteOrder) -> Self {
        Self {
            chain,
            order,
            ..self
        }
    }

    /// Walks over the call chain, innermost first; over the program counter alone when
    /// there is none. Where the processor kept the stack of calls, that is the user's
    /// part, whose addresses are the calls themselves.
    #[inline]
    pub fn chain(&self) -> impl Iterator<Item = ChainEntry> + use<'a> {
        let mut at = Words::new(self.chain, self.order);
        let mut context = self.context;
        let mut lookup = Lookup::Exact;
        let is_empty = self.chain.is_empty();
        let mut alone = self.pc.filter(|_| is_empty);
        let calls = Some(self.branches).filter(|_| self.has_stack_of_calls());
        let mut stack = None;
        std::iter::from_fn(move || {
            if let Some(addr) = alone.take() {
                return Some(ChainEntry {
                    addr,
                    lookup,
                    context,
                });
            }
            loop {
                if let Some(stack) = &mut stack {
                    let addr = Iterator::next(stack)?;
                    return Some(ChainEntry {
                        addr,
                        lookup: Lookup::Exact,
                        context,
                    });
                }
                let number = at.u64()?;
                if number >= marker::LOWEST {
                    context = Context::of_marker(number);
                    lookup = Lookup::Exact;
                    if number == marker::USER {
                        stack = calls.map(|calls| calls.stack());
                    } else if number == marker::USER_DEFERRED {
                        // No address: it names what was not found.
                        at.u64();
                    }
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

    /// Returns whether the user's part of the chain is in the branches.
    #[must_use]
    #[inline]
    pub fn has_stack_of_calls(&self) -> bool {
        self.branches.are_calls() && !self.branches.is_empty()
    }

    /// Returns the bytes of the call chain as they were recorded: equal ones are
    /// equal chains, unless the user's part is in the branches. Empty when there is none.
    #[must_use]
    #[inline]
    pub fn raw_chain(&self) -> &'a [u8] {
        self.chain
    }

    /// Returns a 32-bit number of [`SampleRecord::raw`] in the byte order of the recording.
    #[must_use]
    #[inline]
    pub fn raw_u32(&self, at: usize) -> Option<u32> {
        Words::new(self.raw.get(at..)?, self.order).u32()
    }
}

impl<'a> UserStack<'a> {
    /// Takes the registers of `mask`, by the numbers of `asm/perf_regs.h`, 64 bits each and
    /// the lowest number first; and memory from the stack pointer upwards.
    #[must_use]
    #[inline]
    pub fn new(mask: u64, registers: &'a [u8], stack: &'a [u8], order: ByteOrder) -> Self {
        Self {
            is_32_bit: false,
            mask,
            regs: registers,
            stack,
            order,
        }
    }

    /// Returns a register, by its number in `asm/perf_regs.h`; `None` when it was not
    /// taken.
    #[must_use]
    #[inline]
    pub fn register(&self, number: u32) -> Option<u64> {
        let bit = 1_u64.checked_shl(number)?;
        if self.mask & bit == 0 {
            return None;
        }
        let before = (self.mask & bit.wrapping_sub(1)).count_ones();
        let at = usize::try_from(before).ok()?.checked_mul(8)?;
        Words::new(self.regs.get(at..)?, self.order).u64()
    }

    /// Returns the word of the stack at `addr`, when the stack pointer is `sp`; `None`
    /// outside of what was taken.
    #[must_use]
    #[inline]
    pub fn word(&self, sp: u64, addr: u64) -> Option<u64> {
        let at = usize::try_from(addr.checked_sub(sp)?).ok()?;
        Words::new(self.stack.get(at..)?, self.order).u64()
    }

    /// The same of four bytes: a word of 32-bit code.
    #[must_use]
    #[inline]
    pub fn half_word(&self, sp: u64, addr: u64) -> Option<u64> {
        let at = usize::try_from(addr.checked_sub(sp)?).ok()?;
        let word = Words::new(self.stack.get(at..)?, self.order).u32();
        word.map(u64::from)
    }
}
