//! Writes zip archives, with members that are stored at a given alignment.

/// An archive in the making.
#[derive(Clone, Debug, Default)]
pub struct Zip {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    count: u16,
}

impl Zip {
    /// Starts without members.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an uncompressed member whose contents begin at a multiple of `align`.
    ///
    /// # Panics
    /// If it is larger than 32 bits allow.
    #[must_use]
    pub fn stored(self, name: &str, contents: &[u8], align: usize) -> Self {
        self.member(name, contents, 0, align)
    }

    /// Adds a member that says that it is compressed; its contents are put in as they are.
    ///
    /// # Panics
    /// If it is larger than 32 bits allow.
    #[must_use]
    pub fn deflated(self, name: &str, contents: &[u8]) -> Self {
        self.member(name, contents, 8, 1)
    }

    fn member(mut self, name: &str, contents: &[u8], method: u16, align: usize) -> Self {
        const LOCAL: usize = 30;
        let header = u32::try_from(self.bytes.len()).expect("a small archive");
        let size = u32::try_from(contents.len()).expect("a small member");
        let name_size = u16::try_from(name.len()).expect("a short name");
        let begin = self.bytes.len() + LOCAL + name.len();
        let padding = begin.next_multiple_of(align) - begin;
        let padding_size = u16::try_from(padding).expect("a small alignment");
        let of_both = |out: &mut Vec<u8>, extra: u16| {
            // Version 2.0, no flags, method, no time, no date, no checksum.
            for half in [20, 0, method, 0, 0, 0, 0] {
                out.extend(half.to_le_bytes());
            }
            out.extend(size.to_le_bytes());
            out.extend(size.to_le_bytes());
            out.extend(name_size.to_le_bytes());
            out.extend(extra.to_le_bytes());
        };
        self.bytes.extend(b"PK\x03\x04");
        of_both(&mut self.bytes, padding_size);
        self.bytes.extend(name.as_bytes());
        self.bytes.extend(vec![0; padding]);
        self.bytes.extend(contents);
        // Made by version 2.0; the same; no comment, disk and attributes.
        self.directory.extend(b"PK\x01\x02\x14\x00");
        of_both(&mut self.directory, 0);
        self.directory.extend([0; 10]);
        self.directory.extend(header.to_le_bytes());
        self.directory.extend(name.as_bytes());
        self.count += 1;
        self
    }

    /// Returns the archive.
    ///
    /// # Panics
    /// If it is larger than 32 bits allow.
    #[must_use]
    pub fn build(self) -> Vec<u8> {
        let begin = u32::try_from(self.bytes.len()).expect("a small archive");
        let size = u32::try_from(self.directory.len()).expect("a small directory");
        let mut bytes = self.bytes;
        bytes.extend(self.directory);
        bytes.extend(b"PK\x05\x06\x00\x00\x00\x00");
        bytes.extend(self.count.to_le_bytes());
        bytes.extend(self.count.to_le_bytes());
        bytes.extend(size.to_le_bytes());
        bytes.extend(begin.to_le_bytes());
        bytes.extend([0; 2]);
        bytes
    }
}
