//! NDJSON, `schema_version` 1: one JSON object per line, with its kind in `"type"`.
//!
//! ```text
//! {"type":"header","schema_version":1,"tool":"backsight 0.1.0","pid":123,"backend":"ioctl"}
//! {"type":"module","index":0,"path":"/usr/lib/libc.so.6","deleted":false,"device":"fe:00",…}
//! {"type":"address","address":"0x7f00","module":0,"file_offset":"0x8e123",…}
//! {"type":"address","address":"0x10","lookup":"exact","reason":"unmapped"}
//! ```
//!
//! - Addresses and offsets are strings, because a reader that converts numbers to doubles would
//!   lose their lowest bits.
//! - Unknown values are absent, never `null` or zero.
//! - The line of a module precedes the first address in it, so that a stream can be processed as it
//!   arrives.
//! - A whole profile consists of the lines `profile`, `process`, `thread`, `mapping`, `address` and
//!   `sample` ([`ProfileWriter`], [`ProfileReader`]).
//! - Within a version, keys may be added but never changed. Readers ignore unknown keys and types.
//! - A path or name that is not UTF-8 is written twice: as text with �, and as hexadecimal digits
//!   in `path_hex` (`name_hex`).

mod check;
mod dialogue;
mod index;
mod module;
mod profile;
mod read;
mod record;
mod stored;
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
pub use stored::StoredLine;
pub use symbol::SymbolLine;
pub use version::SCHEMA_VERSION;
pub use write::Writer;
