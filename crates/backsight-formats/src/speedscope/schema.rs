//! What a file says of its format and writer.

/// The schema that a file names.
pub(super) const SCHEMA: &str = "https://www.speedscope.app/file-format-schema.json";

/// What we give as the program that wrote a file.
pub(super) const EXPORTER: &str = concat!("backsight ", env!("CARGO_PKG_VERSION"));

/// What we give of a file in which names of profiles end with those of values.
pub(super) const EXPORTER_OF_ALL: &str =
    concat!("backsight ", env!("CARGO_PKG_VERSION"), " (all values)");

/// What we give of a file that keeps the names of another tool's.
pub(super) const REWRITTEN: &str = concat!("rewritten by backsight ", env!("CARGO_PKG_VERSION"));
