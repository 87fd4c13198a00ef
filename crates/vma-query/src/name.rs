//! The name of a VMA: its raw bytes, and their meaning.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Enough for nearly every path. It is small because the kernel allocates as much for
/// each query.
const USUAL_ROOM: usize = 512;

/// The longest name that the ioctl returns (`PATH_MAX`).
const FULL_ROOM: usize = 4096;

/// A reusable buffer for the name of one VMA.
#[derive(Default)]
pub struct NameBuf {
    bytes: Vec<u8>,
}

impl NameBuf {
    /// Returns an empty buffer. It grows when a name needs more room.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes room for the longest name that a query returns; returns `false` if there was
    /// enough already.
    pub(crate) fn grow(&mut self) -> bool {
        let grows = self.bytes.capacity() < FULL_ROOM;
        self.clear();
        self.bytes.reserve(FULL_ROOM);
        grows
    }

    /// Returns the raw bytes: `\012` of the text is decoded to a newline, and `
    /// (deleted)` is kept. Empty if the VMA has no name.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns what the name means.
    #[must_use]
    pub fn name(&self) -> VmaName<'_> {
        VmaName::new(self.as_bytes())
    }

    /// Empties the buffer.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Sets the name to raw bytes.
    pub(crate) fn set(&mut self, raw: &[u8]) {
        self.clear();
        self.bytes.extend_from_slice(raw);
    }

    /// Empties the buffer, and returns it with room for a usual name.
    #[inline]
    pub(crate) fn room(&mut self) -> &mut Vec<u8> {
        self.clear();
        if self.bytes.capacity() < USUAL_ROOM {
            self.bytes = Vec::with_capacity(USUAL_ROOM);
        }
        &mut self.bytes
    }

    /// Sets the name to one that the text printed, and decodes its newlines.
    pub(crate) fn set_from_text(&mut self, printed: &[u8]) {
        let mut rest = printed;
        self.clear();
        while let Some(at) = memchr::memmem::find(rest, NEWLINE_IN_TEXT) {
            let (plain, tail) = rest.split_at(at);
            self.bytes.extend_from_slice(plain);
            self.bytes.push(b'\n');
            rest = tail.get(NEWLINE_IN_TEXT.len()..).unwrap_or_default();
        }
        self.bytes.extend_from_slice(rest);
    }
}

/// The only escape sequence of the maps text. The name of a file may contain `\012`
/// itself: the text does not distinguish the two, the ioctl does.
const NEWLINE_IN_TEXT: &[u8] = br"\012";

impl fmt::Debug for NameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "NameBuf({:?})",
            self.as_bytes().escape_ascii().to_string()
        )
    }
}

/// What the name of a VMA means.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VmaName<'a> {
    /// No name: anonymous memory.
    None,
    /// The path of the mapped file, seen from the process's root.
    Path {
        /// Without ` (deleted)`.
        path: &'a [u8],
        /// Whether the kernel marked it ` (deleted)`. A file whose real name ends in it
        /// looks the same.
        deleted: bool,
    },
    /// A `memfd_create` file: `/memfd:NAME`.
    Memfd {
        /// The name that its creator gave.
        name: &'a [u8],
    },
    /// `[heap]`: the program break.
    Heap,
    /// `[stack]`: the main thread's stack.
    Stack,
    /// `[vdso]`: code that the kernel maps into every process.
    Vdso,
    /// `[vvar]`, or a name of later kernels such as `[vvar_vclock]`: the vDSO's data.
    Vvar,
    /// `[vsyscall]`: a fixed page of old x86-64 system call entries.
    Vsyscall,
    /// `[uprobes]`: where instructions that uprobes replaced are executed. Or, since
    /// Linux 6.18, `[uprobes-trampoline]`: the code that probed five-byte `nop`s call.
    Uprobes,
    /// `[anon:NAME]`: private memory that the process named by `prctl`.
    Anon(&'a [u8]),
    /// `[anon_shmem:NAME]`: shared memory that the process named by `prctl`.
    AnonShmem(&'a [u8]),
    /// Anything else, as raw bytes: `anon_inode:[…]`, or names of later kernels.
    Other(&'a [u8]),
}

impl<'a> VmaName<'a> {
    /// Returns the path of the mapped file, seen from the process's root.
    ///
    /// ```
    /// use vma_query::VmaName;
    ///
    /// let name = VmaName::new(b"/usr/bin/cat (deleted)");
    /// assert_eq!(name.as_path(), Some("/usr/bin/cat".as_ref()));
    /// assert_eq!(VmaName::new(b"[heap]").as_path(), None);
    /// ```
    #[must_use]
    pub fn as_path(&self) -> Option<&'a Path> {
        match self {
            Self::Path { path, .. } => Some(Path::new(OsStr::from_bytes(path))),
            _ => None,
        }
    }

    /// Reads the raw bytes of a name.
    #[must_use]
    pub fn new(raw: &'a [u8]) -> Self {
        match raw {
            b"" => Self::None,
            b"[heap]" => Self::Heap,
            b"[stack]" => Self::Stack,
            b"[vdso]" => Self::Vdso,
            b"[vsyscall]" => Self::Vsyscall,
            b"[uprobes]" | b"[uprobes-trampoline]" => Self::Uprobes,
            [b'/', ..] => {
                let bare = raw.strip_suffix(DELETED).unwrap_or(raw);
                match bare.strip_prefix(b"/memfd:") {
                    Some(name) => Self::Memfd { name },
                    None => Self::Path {
                        path: bare,
                        deleted: bare.len() < raw.len(),
                    },
                }
            }
            _ if raw.starts_with(b"[vvar") => Self::Vvar,
            _ => bracketed(raw, b"[anon:")
                .map(Self::Anon)
                .or_else(|| bracketed(raw, b"[anon_shmem:").map(Self::AnonShmem))
                .unwrap_or(Self::Other(raw)),
        }
    }
}

/// The suffix that the kernel appends to the path of an unlinked file.
pub(crate) const DELETED: &[u8] = b" (deleted)";

fn bracketed<'a>(raw: &'a [u8], before: &[u8]) -> Option<&'a [u8]> {
    raw.strip_prefix(before)?.strip_suffix(b"]")
}

impl fmt::Debug for VmaName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, text): (_, &[u8]) = match self {
            Self::None => ("None", b""),
            Self::Path {
                path,
                deleted: false,
            } => ("Path", path),
            Self::Path {
                path,
                deleted: true,
            } => ("DeletedPath", path),
            Self::Memfd { name } => ("Memfd", name),
            Self::Heap => ("Heap", b""),
            Self::Stack => ("Stack", b""),
            Self::Vdso => ("Vdso", b""),
            Self::Vvar => ("Vvar", b""),
            Self::Vsyscall => ("Vsyscall", b""),
            Self::Uprobes => ("Uprobes", b""),
            Self::Anon(name) => ("Anon", name),
            Self::AnonShmem(name) => ("AnonShmem", name),
            Self::Other(raw) => ("Other", raw),
        };
        write!(f, "{kind}({:?})", text.escape_ascii().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::{NameBuf, VmaName};

    #[test]
    fn names_are_read_by_their_form() {
        let path = |path, deleted| VmaName::Path { path, deleted };
        let cases: [(&[u8], VmaName<'_>); 21] = [
            (b"", VmaName::None),
            (b"[heap]", VmaName::Heap),
            (b"[stack]", VmaName::Stack),
            (b"[vdso]", VmaName::Vdso),
            (b"[vvar]", VmaName::Vvar),
            (b"[vvar_vclock]", VmaName::Vvar),
            (b"[vsyscall]", VmaName::Vsyscall),
            (b"[uprobes]", VmaName::Uprobes),
            (b"[uprobes-trampoline]", VmaName::Uprobes),
            (b"[anon:a b]", VmaName::Anon(b"a b")),
            (b"[anon:]]", VmaName::Anon(b"]")),
            (b"[anon_shmem:x]", VmaName::AnonShmem(b"x")),
            (b"[stack:77]", VmaName::Other(b"[stack:77]")),
            (
                b"anon_inode:[perf_event]",
                VmaName::Other(b"anon_inode:[perf_event]"),
            ),
            (b"/memfd:jit (deleted)", VmaName::Memfd { name: b"jit" }),
            (
                b"/memfd:a (deleted) (deleted)",
                VmaName::Memfd {
                    name: b"a (deleted)",
                },
            ),
            (b"/lib/x.so", path(b"/lib/x.so", false)),
            (b"/lib/x.so (deleted)", path(b"/lib/x.so", true)),
            (
                b"/lib/x (deleted) (deleted)",
                path(b"/lib/x (deleted)", true),
            ),
            (b"/SYSV0000002a (deleted)", path(b"/SYSV0000002a", true)),
            (b"/a b\nc", path(b"/a b\nc", false)),
        ];
        for (raw, want) in cases {
            assert_eq!(VmaName::new(raw), want, "{}", raw.escape_ascii());
        }
    }

    #[test]
    fn the_texts_escaped_newlines_come_back() {
        let mut name = NameBuf::new();
        for (printed, want) in [
            (&b"/plain"[..], &b"/plain"[..]),
            (br"/a\012b", b"/a\nb"),
            (br"\012\012", b"\n\n"),
            (br"/a\01", br"/a\01"),
            (b"", b""),
        ] {
            name.set_from_text(printed);
            assert_eq!(name.as_bytes(), want, "{}", printed.escape_ascii());
        }
    }

    #[test]
    fn a_text_may_carry_a_name_beyond_any_query() {
        let long = vec![b'x'; 9000];
        let mut name = NameBuf::new();
        name.set_from_text(&long);
        assert_eq!(name.as_bytes(), long);
    }
}
