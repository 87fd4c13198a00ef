//! Bytes of a file, in its byte order.

/// Bytes in the file's byte order.
pub(in crate::dwarf) type Slice<'d> = gimli::EndianSlice<'d, gimli::RunTimeEndian>;
