//! One sample: who was where, and what the registers and the stack held.

use backsight_types::{AbsAddr, Lookup};

use super::branches::Branches;
use super::bytes::Bytes;

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
    /// What else its event had to say, in a form of its own: of a tracepoint its fields.
    pub raw: &'a [u8],
    /// The branches that were taken last.
    pub branches: Branches<'a>,
    /// The call chain as numbers, in the byte order of the file.
    pub(super) chain: &'a [u8],
    pub(super) big: bool,
}

/// What user code's registers and the top of its stack held.
#[derive(Clone, Copy, Debug)]
pub struct UserStack<'a> {
    /// Whether the process ran 32-bit code.
    pub is_32_bit: bool,
    /// Which registers were taken, by the numbers of `asm/perf_regs.h`.
    pub(super) mask: u64,
    pub(super) regs: &'a [u8],
    /// The stack's memory, from the stack pointer upwards.
    pub stack: &'a [u8],
    pub(super) big: bool,
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
    /// The kernel of a guest, whose addresses mean nothing here.
    GuestKernel,
    /// A program in a guest.
    GuestUser,
    /// Nothing says whose: the process's or the kernel's, as the address tells.
    Unknown,
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
pub(super) const CONTEXT_MAX: u64 = (-4095_i64).cast_unsigned();

/// `PERF_CONTEXT_USER`: the user's part of the chain follows.
pub(super) const CONTEXT_USER: u64 = (-512_i64).cast_unsigned();

/// `PERF_CONTEXT_USER_DEFERRED`: the user's part is taken when the thread comes back to
/// its own code, in a record that names the number which follows. Since Linux 6.19.
const CONTEXT_USER_DEFERRED: u64 = (-640_i64).cast_unsigned();

/// Returns where in a chain that marker stands, in bytes, if a number follows.
pub(super) fn cookie_at(chain: &[u8], big: bool) -> Option<usize> {
    let mut at = Bytes::new(chain, big);
    while let Some(number) = at.u64() {
        if number == CONTEXT_USER_DEFERRED {
            let behind = at.rest().len().checked_add(8)?;
            return at.u64().and(chain.len().checked_sub(behind));
        }
    }
    None
}

/// Returns the number in a chain that stands for the user's part.
pub(super) fn cookie_of(chain: &[u8], big: bool) -> Option<u64> {
    let at = cookie_at(chain, big)?.checked_add(8)?;
    Bytes::new(chain.get(at..)?, big).u64()
}

impl Context {
    fn of_marker(marker: u64) -> Self {
        match marker.cast_signed() {
            -32 => Self::Hypervisor,
            -128 => Self::Kernel,
            // Before Linux 2.6.36 guests had no other.
            -2048 | -2176 => Self::GuestKernel,
            -2560 => Self::GuestUser,
            -512 => Self::User,
            _ => Self::Unknown,
        }
    }

    /// Reads `PERF_RECORD_MISC_CPUMODE_MASK`.
    pub(super) fn of_misc(misc: u16) -> Self {
        match misc & 7 {
            1 => Self::Kernel,
            3 => Self::Hypervisor,
            2 => Self::User,
            4 => Self::GuestKernel,
            5 => Self::GuestUser,
            _ => Self::Unknown,
        }
    }
}

impl<'a> Sample<'a> {
    /// Walks over the call chain, innermost first; over the program counter alone when
    /// there is none. Where the processor kept the stack of calls, that is the user's
    /// part, whose addresses are the calls themselves.
    pub fn chain(&self) -> impl Iterator<Item = ChainEntry> + use<'a> {
        let mut at = Bytes::new(self.chain, self.big);
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
                if number >= CONTEXT_MAX {
                    context = Context::of_marker(number);
                    lookup = Lookup::Exact;
                    if number == CONTEXT_USER {
                        stack = calls.map(|calls| calls.stack());
                    } else if number == CONTEXT_USER_DEFERRED {
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
    pub fn has_stack_of_calls(&self) -> bool {
        self.branches.are_calls() && !self.branches.is_empty()
    }

    /// Returns the bytes of the call chain as they stand in the file: equal ones are
    /// equal chains, unless the user's part is in the branches. Empty when there is none.
    #[must_use]
    pub fn raw_chain(&self) -> &'a [u8] {
        self.chain
    }

    /// Returns a 32-bit number of [`Sample::raw`] in the byte order of the recording.
    #[must_use]
    pub fn raw_u32(&self, at: usize) -> Option<u32> {
        Bytes::new(self.raw.get(at..)?, self.big).u32()
    }
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

    /// The same of four bytes: a word of 32-bit code.
    #[must_use]
    pub fn half_word(&self, sp: u64, addr: u64) -> Option<u64> {
        let at = usize::try_from(addr.checked_sub(sp)?).ok()?;
        let word = Bytes::new(self.stack.get(at..)?, self.big).u32();
        word.map(u64::from)
    }
}
