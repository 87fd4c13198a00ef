//! Notes: an owner, a type and bytes.

use super::shape::Writer;

/// One note.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// The owner, including the zero byte: `GNU\0`.
    pub owner: Vec<u8>,
    /// The type: 3 of `GNU` is a build ID, 3 of `stapsdt` a probe.
    pub kind: u32,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Overrides `n_namesz`.
    pub claimed_owner_size: Option<u32>,
    /// Overrides `n_descsz`.
    pub claimed_size: Option<u32>,
}

impl Note {
    /// Returns a note of any owner; the zero byte after its name is added.
    #[must_use]
    pub fn new(owner: &str, kind: u32, bytes: &[u8]) -> Self {
        Self {
            owner: [owner.as_bytes(), b"\0"].concat(),
            kind,
            bytes: bytes.to_vec(),
            ..Self::default()
        }
    }

    /// Returns a GNU build ID: `NT_GNU_BUILD_ID`.
    #[must_use]
    pub fn gnu_build_id(id: &[u8]) -> Self {
        Self::new("GNU", 3, id)
    }

    /// Returns a SystemTap probe, which has the same type number as a build ID.
    #[must_use]
    pub fn stapsdt() -> Self {
        Self::new("stapsdt", 3, &[0x11; 40])
    }

    pub(super) fn write(&self, out: &mut Writer, align: u64) {
        let size_of = |bytes: &[u8]| u32::try_from(bytes.len()).expect("a small note");
        let owner_size = self.claimed_owner_size.unwrap_or(size_of(&self.owner));
        let size = self.claimed_size.unwrap_or(size_of(&self.bytes));
        out.word(owner_size.into());
        out.word(size.into());
        out.word(self.kind.into());
        out.raw(&self.owner);
        out.align(align);
        out.raw(&self.bytes);
        out.align(align);
    }
}
