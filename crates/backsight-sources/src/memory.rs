//! The mapped memory of a file, by address.

/// Bytes that are mapped at consecutive addresses.
#[derive(Clone, Copy, Debug)]
pub struct MappedPart<'d> {
    /// The address of the first byte.
    pub addr: u64,
    /// The bytes of the file.
    pub bytes: &'d [u8],
    /// Whether it is mapped writable.
    pub is_writable: bool,
}

/// The mapped parts of a file, except for code.
#[derive(Clone, Debug, Default)]
pub struct Memory<'d> {
    /// The parts, in any order.
    pub parts: Vec<MappedPart<'d>>,
}

impl<'d> Memory<'d> {
    /// Returns the bytes from this address to the end of the part that contains it.
    #[must_use]
    pub fn from(&self, addr: u64) -> Option<&'d [u8]> {
        self.parts.iter().find_map(|part| {
            let at = usize::try_from(addr.checked_sub(part.addr)?).ok()?;
            part.bytes.get(at..).filter(|rest| !rest.is_empty())
        })
    }
}

/// An address that is written when a file is loaded, and may not be in its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relocation {
    /// The address where it is written.
    pub addr: u64,
    /// The value that is written, if the load bias is 0.
    pub target: u64,
}
