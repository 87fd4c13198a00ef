//! Demangles names of the input: pprof files whose writers leave that to readers, and text made
//! with `--no-demangle` or by other tools.

use std::collections::HashMap;

use backsight_profile::{Profile, StrIdx};
use backsight_symbolize::demangle;

/// The longest mangled name that is demangled, and the longest result, in bytes.
const MAX_NAME_BYTES: usize = 1 << 16;

/// Demangles the names of a profile, at once or while it grows.
#[derive(Debug, Default)]
pub struct Demangled {
    /// Names seen so far with their demangled form; `None` if a name is not mangled.
    known: HashMap<StrIdx, Option<StrIdx>>,
    /// Frames before this index have been processed.
    done: usize,
}

impl Demangled {
    /// Processes the new frames. A frame keeps its linkage name, and gets a demangled function
    /// name if it has none or the same.
    pub fn demangle_new(&mut self, profile: &mut Profile) {
        let Profile {
            frames, strings, ..
        } = profile;
        for frame in frames.iter_mut().skip(self.done) {
            let name = frame.function.or(frame.linkage_name);
            let Some(name) = name else { continue };
            let known = *self.known.entry(name).or_insert_with(|| {
                let plain = demangle(strings.get(name)?, MAX_NAME_BYTES)?;
                Some(strings.intern(&plain))
            });
            if let Some(plain) = known {
                frame.function = Some(plain);
                frame.linkage_name.get_or_insert(name);
            }
        }
        self.skip(profile);
    }

    /// Skips frames added since the last call: their names are already demangled.
    pub fn skip(&mut self, profile: &Profile) {
        self.done = profile.frames.len();
    }
}
