//! Names that came mangled: of pprof files whose writers leave that to others, and of
//! texts that were made with `--no-demangle` or without symbols of ours.

use std::collections::HashMap;

use backsight_profile::{Profile, StrIdx};
use backsight_symbolize::demangle;

/// The longest name that is demangled, and the longest that comes of it, in bytes.
const LIMIT: usize = 1 << 16;

/// Demangles the names of a profile, once or as it grows.
#[derive(Debug, Default)]
pub(super) struct Demangled {
    /// What became of names that were met; `None` of those that are not mangled.
    known: HashMap<StrIdx, Option<StrIdx>>,
    /// Frames before this one were looked at.
    done: usize,
}

impl Demangled {
    /// Looks at the frames that are new. A frame keeps its name for the linker, and gets
    /// one for people where it has none or the same.
    pub(super) fn look_at(&mut self, profile: &mut Profile) {
        let Profile {
            frames, strings, ..
        } = profile;
        for frame in frames.iter_mut().skip(self.done) {
            let name = frame.function.or(frame.linkage_name);
            let Some(name) = name else { continue };
            let known = *self.known.entry(name).or_insert_with(|| {
                let plain = demangle(strings.get(name)?, LIMIT)?;
                Some(strings.intern(&plain))
            });
            if let Some(plain) = known {
                frame.function = Some(plain);
                frame.linkage_name.get_or_insert(name);
            }
        }
        self.skip(profile);
    }

    /// Leaves out the frames that were added since, whose names are for people already.
    pub(super) fn skip(&mut self, profile: &Profile) {
        self.done = profile.frames.len();
    }
}
