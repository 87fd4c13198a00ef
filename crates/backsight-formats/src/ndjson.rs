//! NDJSON, `schema_version` 1: one object a line, told apart by `"type"`.
//!
//! ```text
//! {"type":"header","schema_version":1,"tool":"backsight 0.1.0","pid":123,"backend":"ioctl"}
//! {"type":"module","index":0,"path":"/usr/lib/libc.so.6","deleted":false,"device":"fe:00",…}
//! {"type":"address","address":"0x7f00","module":0,"file_offset":"0x8e123",…}
//! {"type":"address","address":"0x10","lookup":"exact","reason":"unmapped"}
//! ```
//!
//! - Addresses and offsets are strings: a reader that makes doubles of numbers
//!   would lose their last bits.
//! - What is unknown is absent, never `null` or zero.
//! - A module's line stands before the first address that names it, so that a
//!   stream can be worked on as it comes.
//! - A whole profile is lines too: `profile`, `process`, `thread`, `mapping` and
//!   `sample` ([`ProfileWriter`], [`ProfileReader`]).
//! - Keys may be added within a version, never changed. A reader passes over keys
//!   and types of records it does not know.
//! - A path or name that is not UTF-8 stands twice: as text with � in it, and whole
//!   as hexadecimal digits in `path_hex` (`name_hex`).

mod check;
mod dialogue;
mod index;
mod module;
mod profile;
mod read;
mod record;
mod symbol;
mod text;
mod version;
mod write;

pub use check::CheckLine;
pub use dialogue::{EndLine, MalformedLine};
pub use index::{IndexLine, JsonTable};
pub use profile::{
    AttributeLine, JsonLabel, JsonPeriod, JsonValueType, ProcessLine, ProfileLine, ProfileReader,
    ProfileWriter, ThreadLine, read_profile, write_profile,
};
pub use read::{Error, Reader};
pub use record::{AddressLine, HeaderLine, JsonFrame, JsonLine, MappingLine, SampleLine, VmaLine};
pub use symbol::SymbolLine;
pub use version::SCHEMA_VERSION;
pub use write::Writer;
