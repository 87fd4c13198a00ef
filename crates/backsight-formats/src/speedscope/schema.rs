//! What a file says of its format and writer.

/// The schema that a file names.
pub(super) const SCHEMA: &str = "https://www.speedscope.app/file-format-schema.json";

/// What we give as the program that wrote a file.
pub(super) const EXPORTER: &str = concat!("backsight ", env!("CARGO_PKG_VERSION"));
