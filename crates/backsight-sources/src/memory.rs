//! What a file maps, by address.

/// Bytes that are mapped at consecutive addresses.
#[derive(Clone, Copy, Debug)]
pub struct MappedPart<'d> {
    /// The address of the first byte.
    pub addr: u64,
    /// What the file has there.
    pub bytes: &'d [u8],
    /// Whether a process may write to it.
    pub is_writable: bool,
}

/// What a file maps that is not code.
#[derive(Clone, Debug, Default)]
pub struct Memory<'d> {
    /// In any order.
    pub parts: Vec<MappedPart<'d>>,
}

impl<'d> Memory<'d> {
    /// Returns the bytes from this address to the end of what is mapped together with it.
    #[must_use]
    pub fn from(&self, addr: u64) -> Option<&'d [u8]> {
        self.parts.iter().find_map(|part| {
            let at = usize::try_from(addr.checked_sub(part.addr)?).ok()?;
            part.bytes.get(at..).filter(|rest| !rest.is_empty())
        })
    }
}

/// An address that is written when a file is loaded, and need not be in its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relocation {
    /// Where it is written.
    pub addr: u64,
    /// What is written, of a file that is loaded where it says.
    pub target: u64,
}
