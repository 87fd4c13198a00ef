//! The file of the kernel's image, `vmlinux`.
//!
//! ```text
//!   DEBUG_DIR/boot/vmlinux-RELEASE           DEBUG_DIR is /usr/lib/debug by default
//!   DEBUG_DIR/lib/modules/RELEASE/vmlinux
//!   DEBUG_DIR/vmlinux-RELEASE
//!   /lib/modules/RELEASE/build/vmlinux
//!   /lib/modules/RELEASE/vmlinux
//!   /boot/vmlinux-RELEASE
//! ```
//!
//! Each inside the roots first, then on this host. After them come the places by build ID, and
//! the fetchers, which the symbolizer asks. Only the build ID proves a file.

use std::fs::File;
use std::path::{Path, PathBuf};

use backsight_elf::Headers;
use backsight_symbolize::{Options, Sought};
use backsight_types::{BuildId, VirtOffset};

use super::candidate::{Candidates, Proof};

/// What was found of a kernel's image.
#[derive(Debug, Default)]
pub(super) struct ImageFile {
    /// Its file, if it is in one of the places by name; and its path in its root.
    pub(super) file: Option<(File, PathBuf)>,
    /// The virtual offset of its first byte, `_text`: of this file, or of one that is found by
    /// its build ID. `None` if there is neither.
    pub(super) text: Option<VirtOffset>,
    /// Where it was looked for by name.
    pub(super) sought: Vec<Sought>,
}

impl ImageFile {
    /// Looks for the image with this build ID: at `given`, which this host knows by that name, then
    /// at `path`.
    pub(super) fn find(
        id: BuildId,
        given: Option<&Path>,
        path: Option<&Path>,
        releases: &[String],
        options: &Options,
    ) -> Self {
        let mut candidates = Candidates::default();
        if let Some(given) = given {
            candidates.look_at_given(given, Proof::BuildId(id));
        }
        let usual = releases.iter().flat_map(|release| places(release, options));
        for path in path.map(Path::to_owned).into_iter().chain(usual) {
            candidates.look_at(&path, Proof::BuildId(id), options);
        }
        let Candidates { found, sought } = candidates;
        let text = match &found {
            Some((file, _)) => text_of(file, options),
            None => match backsight_symbolize::open_module(None, id, options) {
                Ok(file) => text_of(&file, options),
                Err(_) => backsight_symbolize::symbol_start_in_debug_file(id, "_text", options),
            },
        };
        Self {
            file: found,
            text,
            sought,
        }
    }
}

fn places(release: &str, options: &Options) -> Vec<PathBuf> {
    let file = format!("vmlinux-{release}");
    let of_debug = options.debug_dirs.iter().flat_map(|dir| {
        let modules = format!("lib/modules/{release}/vmlinux");
        [
            dir.join("boot").join(&file),
            dir.join(modules),
            dir.join(&file),
        ]
    });
    let modules = Path::new("/lib/modules").join(release);
    let own = [
        modules.join("build/vmlinux"),
        modules.join("vmlinux"),
        Path::new("/boot").join(&file),
    ];
    of_debug.chain(own).collect()
}

/// Returns the virtual offset of the image's first byte: of `_text`, or in a stripped file where
/// its first segment of code begins, which is the same place.
fn text_of(file: &File, options: &Options) -> Option<VirtOffset> {
    let named = backsight_symbolize::symbol_start(file, "_text", options);
    named.ok().flatten().or_else(|| {
        let headers = Headers::read(file).ok()?;
        let segments = headers.segments.as_slice().iter();
        let code = segments.filter(|segment| segment.flags.is_executable());
        code.map(|segment| segment.virt_offset).min()
    })
}
