//! The events of a captured trace, from any recorder.
//!
//! A reader of `perf.data` produces them. A program that reads the kernel's ring buffers
//! can produce them too:
//!
//! ```
//! use backsight_types::trace::{ByteOrder, Event, SampleRecord, marker};
//! use backsight_types::{AbsAddr, Lookup};
//!
//! // As the kernel writes it: a marker, the program counter, a return address.
//! let chain = [marker::USER, 0x55_1000, 0x55_2000].map(u64::to_ne_bytes).concat();
//! let mut sample = SampleRecord::new(42, 42).with_chain(&chain, ByteOrder::NATIVE);
//! sample.time_ns = Some(1_000);
//!
//! let entries: Vec<_> = sample.chain().map(|entry| (entry.addr, entry.lookup)).collect();
//! let want = [(AbsAddr(0x55_1000), Lookup::Exact), (AbsAddr(0x55_2000), Lookup::Return)];
//! assert_eq!(entries, want);
//! let event = Event::Sample(sample);
//! # let _ = event;
//! ```

mod bpf;
mod branches;
mod byte_order;
mod captured;
mod chain;
mod event;
mod facts;
mod process;
mod sample;

pub use bpf::{BpfFunctionInfo, BpfLineInfo, BpfProgramInfo, BtfBlob};
pub use branches::Branches;
pub use byte_order::ByteOrder;
pub use captured::CapturedAddrs;
pub use chain::{ChainEntry, Context, marker};
pub use event::Event;
pub use facts::{EventType, EventUnit, Facts, FileBuildId};
pub use process::{
    KERNEL_PID, Mmap, MovedText, ProcessChange, ProcessRecord, ThreadChange, ThreadRecord,
};
pub use sample::{SampleRecord, UserStack};
