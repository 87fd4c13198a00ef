//! The description of an event (`struct perf_event_attr`), as bytes.
//!
//! The same bytes go to the kernel and, as the header of a recording, to the reader of the
//! records.
//!
//! Source: `include/uapi/linux/perf_event.h` of the kernel.

/// The size of the struct since Linux 5.5: `PERF_ATTR_SIZE_VER6`. Older kernels accept it as long
/// as what they do not know is 0.
pub(crate) const ATTR_SIZE: usize = 120;

/// `PERF_SAMPLE_*`: what each sample has.
pub(crate) mod sample {
    pub(crate) const IP: u64 = 1;
    pub(crate) const TID: u64 = 1 << 1;
    pub(crate) const TIME: u64 = 1 << 2;
    pub(crate) const CALLCHAIN: u64 = 1 << 5;
    pub(crate) const CPU: u64 = 1 << 7;
    pub(crate) const PERIOD: u64 = 1 << 8;
    pub(crate) const REGS_USER: u64 = 1 << 12;
    pub(crate) const STACK_USER: u64 = 1 << 13;
    pub(crate) const IDENTIFIER: u64 = 1 << 16;
}

/// The bits of the flags.
pub(crate) mod flag {
    pub(crate) const DISABLED: u64 = 1;
    pub(crate) const INHERIT: u64 = 1 << 1;
    pub(crate) const EXCLUDE_KERNEL: u64 = 1 << 5;
    pub(crate) const EXCLUDE_HV: u64 = 1 << 6;
    pub(crate) const EXCLUDE_IDLE: u64 = 1 << 7;
    pub(crate) const MMAP: u64 = 1 << 8;
    pub(crate) const COMM: u64 = 1 << 9;
    pub(crate) const FREQ: u64 = 1 << 10;
    pub(crate) const ENABLE_ON_EXEC: u64 = 1 << 12;
    pub(crate) const TASK: u64 = 1 << 13;
    pub(crate) const WATERMARK: u64 = 1 << 14;
    pub(crate) const SAMPLE_ID_ALL: u64 = 1 << 18;
    pub(crate) const EXCLUDE_GUEST: u64 = 1 << 20;
    pub(crate) const EXCLUDE_CALLCHAIN_KERNEL: u64 = 1 << 21;
    pub(crate) const EXCLUDE_CALLCHAIN_USER: u64 = 1 << 22;
    pub(crate) const MMAP2: u64 = 1 << 23;
    pub(crate) const COMM_EXEC: u64 = 1 << 24;
    pub(crate) const USE_CLOCKID: u64 = 1 << 25;
    pub(crate) const CONTEXT_SWITCH: u64 = 1 << 26;
    pub(crate) const KSYMBOL: u64 = 1 << 29;
    pub(crate) const BUILD_ID: u64 = 1 << 34;
}

/// `CLOCK_MONOTONIC`, which jitdump files have their times from, too.
pub(crate) const CLOCK_MONOTONIC: u32 = 1;

/// What an event counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    /// Cycles of the processor.
    Cycles,
    /// Nanoseconds, by a timer of the kernel.
    CpuClock,
    /// Context switches.
    Switches,
}

/// The description of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventAttr {
    pub(crate) counted: Counted,
    /// Samples a second if the flag `FREQ` is set; otherwise one sample for so many counts.
    pub(crate) period: u64,
    pub(crate) sample_type: u64,
    pub(crate) flags: u64,
    /// After how many bytes a reader is woken up.
    pub(crate) wakeup_bytes: u32,
    /// The user registers that are recorded: a bit for each number of `asm/perf_regs.h`.
    pub(crate) user_regs: u64,
    /// How many bytes of the stack are recorded.
    pub(crate) stack_bytes: u32,
}

impl EventAttr {
    pub(crate) fn to_bytes(self) -> [u8; ATTR_SIZE] {
        const SIZE: u32 = 120;
        const HARDWARE: u32 = 0;
        const SOFTWARE: u32 = 1;
        let (kind, config): (u32, u64) = match self.counted {
            Counted::Cycles => (HARDWARE, 0),
            Counted::CpuClock => (SOFTWARE, 0),
            Counted::Switches => (SOFTWARE, 3),
        };
        let mut bytes = [0; ATTR_SIZE];
        let mut put = |at: usize, value: &[u8]| {
            let room = bytes.get_mut(at..).unwrap_or_default();
            room.iter_mut()
                .zip(value)
                .for_each(|(to, from)| *to = *from);
        };
        put(0, &kind.to_ne_bytes());
        put(4, &SIZE.to_ne_bytes());
        put(8, &config.to_ne_bytes());
        put(16, &self.period.to_ne_bytes());
        put(24, &self.sample_type.to_ne_bytes());
        put(40, &self.flags.to_ne_bytes());
        put(48, &self.wakeup_bytes.to_ne_bytes());
        put(80, &self.user_regs.to_ne_bytes());
        put(88, &self.stack_bytes.to_ne_bytes());
        put(92, &CLOCK_MONOTONIC.to_ne_bytes());
        bytes
    }

    /// Returns it with one flag cleared.
    pub(crate) fn without(self, flag: u64) -> Self {
        Self {
            flags: self.flags & !flag,
            ..self
        }
    }

    /// Returns it with one flag set.
    pub(crate) fn with(self, flag: u64) -> Self {
        Self {
            flags: self.flags | flag,
            ..self
        }
    }

    pub(crate) fn has(self, flag: u64) -> bool {
        self.flags & flag != 0
    }

    /// Returns the name that perf has for the event.
    pub(crate) fn name(self) -> &'static str {
        match self.counted {
            Counted::Cycles => "cycles",
            Counted::CpuClock => "cpu-clock",
            Counted::Switches => "context-switches",
        }
    }
}
