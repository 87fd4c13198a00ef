//! The result of normalizing one address: a place in a module, or a reason.

use crate::addr::FileOffset;
use crate::cast;
use crate::module::{ModuleIdx, ModuleKind};
use crate::reason::Reason;

/// The result of normalizing one address. It has 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
// A tag of a whole word: with a tag of one byte, writing an outcome takes five stores.
#[repr(u32)]
#[non_exhaustive]
pub enum Outcome {
    /// The address lies in executable, file-backed memory (or in the vDSO).
    Located {
        /// The index in the list of modules of the same result.
        module: ModuleIdx,
        /// The offset in that module's file.
        file_offset: FileOffset,
    },
    /// The address is not in a file, or its file is not known.
    Unresolved(Reason),
}

// A batch of ten thousand addresses should stay within a cache of 256 KiB.
const _: () = assert!(size_of::<Outcome>() == 16);

/// Constructs many outcomes in one module.
///
/// Module and tag are combined in one word, which stays in a register. An outcome is then
/// written with two stores instead of three.
#[derive(Clone, Copy, Debug)]
pub struct InModule(u64);

impl InModule {
    /// Returns a constructor of outcomes in `module`.
    #[must_use]
    #[inline]
    pub fn new(module: ModuleIdx) -> Self {
        let module = u64::from(module.0);
        // The tag of `Located` is 0.
        Self(match cfg!(target_endian = "little") {
            true => module << 32,
            false => module,
        })
    }

    /// Returns [`Outcome::Located`] at `file_offset`.
    #[must_use]
    #[inline]
    pub fn at(self, file_offset: FileOffset) -> Outcome {
        cast::first_variant!(Outcome, [self.0, file_offset.0])
    }
}

/// The kind of memory that contains an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AddrKind {
    /// A file's bytes.
    File,
    /// The vDSO: code that the kernel maps into every process.
    Vdso,
    /// Executable memory without a file.
    Anonymous,
    /// The kernel half of the address space.
    Kernel,
}

impl From<ModuleKind> for AddrKind {
    fn from(kind: ModuleKind) -> Self {
        match kind {
            ModuleKind::File => Self::File,
            ModuleKind::Vdso => Self::Vdso,
            ModuleKind::Kernel => Self::Kernel,
            ModuleKind::Anonymous => Self::Anonymous,
        }
    }
}

impl AddrKind {
    /// Returns the name that the formats use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Vdso => "vdso",
            Self::Anonymous => "anonymous",
            Self::Kernel => "kernel",
        }
    }
}

/// How to look up a captured address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Lookup {
    /// The address of the instruction itself: the first of a stack.
    #[default]
    Exact,
    /// A return address: the instruction after a call. It is looked up one byte lower,
    /// where the call is. The address itself is not changed.
    Return,
}

#[cfg(test)]
mod tests {
    use super::{InModule, Outcome};
    use crate::{FileOffset, ModuleIdx};

    #[test]
    fn a_place_put_together_from_words_is_the_place_itself() {
        for (module, offset) in [(0, 0), (1, 2), (u32::MAX, u64::MAX), (0x1234_5678, 1 << 63)] {
            let (module, file_offset) = (ModuleIdx(module), FileOffset(offset));
            let place = Outcome::Located {
                module,
                file_offset,
            };
            assert_eq!(InModule::new(module).at(file_offset), place);
        }
    }
}
