//! A sample record: process, thread, call chain, and optionally registers and stack
//! memory.

use crate::addr::AbsAddr;
use crate::outcome::Lookup;
use crate::trace::branches::Branches;
use crate::trace::byte_order::{ByteOrder, Words};
use crate::trace::chain::{ChainEntry, Context, marker};

/// A sample, as the kernel wrote it. [`SampleRecord::new`] creates one.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SampleRecord<'a> {
    /// The time in nanoseconds, on the recording's clock.
    pub time_ns: Option<u64>,
    /// The process ID; `u32::MAX` for a process that is exiting.
    pub pid: u32,
    /// The thread ID.
    pub tid: u32,
    /// The number of the processor.
    pub cpu: Option<u32>,
    /// The index of its event among the recorded ones.
    pub event: usize,
    /// How many units of its event the sample represents.
    pub period: u64,
    /// The program counter.
    pub pc: Option<AbsAddr>,
    /// The context of the program counter.
    pub context: Context,
    /// The user registers and stack memory, for unwinding.
    pub user: Option<UserStack<'a>>,
    /// Raw data of its event: for a tracepoint, the fields.
    pub raw: &'a [u8],
    /// The last branches that were taken.
    pub branches: Branches<'a>,
    /// The call chain as raw numbers, with markers.
    chain: &'a [u8],
    order: ByteOrder,
}

/// The registers of user code, and the memory at the top of its stack.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct UserStack<'a> {
    /// Whether the process ran 32-bit code.
    pub is_32_bit: bool,
    /// The recorded registers, as a bit mask by the numbers of `asm/perf_regs.h`.
    mask: u64,
    regs: &'a [u8],
    /// The stack memory, from the stack pointer upwards.
    pub stack: &'a [u8],
    order: ByteOrder,
}

impl<'a> SampleRecord<'a> {
    /// Returns a sample of this process and thread with a period of 1. Set the other
    /// fields directly.
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

    /// Sets the call chain as the kernel writes it: 64-bit numbers, innermost first, with
    /// [`marker`]s among the addresses. The byte order also applies to
    /// [`SampleRecord::raw`].
    #[must_use]
    #[inline]
    pub fn with_chain(self, chain: &'a [u8], order: ByteOrder) -> Self {
        Self {
            chain,
            order,
            ..self
        }
    }

    /// Whether it is of a process without a number here: of another PID namespace. The kernel then
    /// reports 0, as for the idle tasks, which run in the kernel alone.
    #[must_use]
    #[inline]
    pub fn is_of_hidden_process(&self) -> bool {
        self.pid == 0 && (self.context == Context::User || self.user.is_some())
    }

    /// Iterates over the call chain, innermost first. Without a call chain, yields the
    /// program counter. If the branches are a stack of calls, they replace the user part;
    /// their addresses are those of the calls themselves.
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
                        // The number after the marker is not an address: it identifies
                        // the record with the user part.
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

    /// Returns whether the branches have the user part of the chain.
    #[must_use]
    #[inline]
    pub fn has_stack_of_calls(&self) -> bool {
        self.branches.are_calls() && !self.branches.is_empty()
    }

    /// Returns the recorded bytes of the call chain, or nothing if there is none. Equal
    /// bytes are equal chains, unless the branches have the user part.
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
    /// Returns a user stack. `registers` has the registers of `mask`, by the numbers of
    /// `asm/perf_regs.h`, 64 bits each and the lowest number first. `stack` is memory
    /// from the stack pointer upwards.
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

    /// Returns a register, by its number in `asm/perf_regs.h`; `None` if it was not
    /// recorded.
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

    /// Returns the 64-bit word of the stack at `addr`, if the stack pointer is `sp`;
    /// `None` outside of the recorded memory.
    #[must_use]
    #[inline]
    pub fn word(&self, sp: u64, addr: u64) -> Option<u64> {
        let at = usize::try_from(addr.checked_sub(sp)?).ok()?;
        Words::new(self.stack.get(at..)?, self.order).u64()
    }

    /// As [`word`](Self::word), with four bytes: a word of 32-bit code.
    #[must_use]
    #[inline]
    pub fn half_word(&self, sp: u64, addr: u64) -> Option<u64> {
        let at = usize::try_from(addr.checked_sub(sp)?).ok()?;
        let word = Words::new(self.stack.get(at..)?, self.order).u32();
        word.map(u64::from)
    }
}
