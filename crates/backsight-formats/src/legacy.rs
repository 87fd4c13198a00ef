//! The profile formats before `profile.proto`, which `pprof` still reads.
//!
//! | written by | starts with |
//! |---|---|
//! | gperftools' CPU profiler | five words: 0, 3, 0, microseconds between samples, 0 |
//! | gperftools' heap profiler, tcmalloc, Go (`debug=1`) | `heap profile: 1: 64 [1: 64] @ heapprofile` |
//! | jemalloc | `heap_v2/524288` |
//! | tcmalloc's growth and fragmentation | `heap profile: … @ growthz`, `fragmentationz` |
//! | locks: gperftools, Go | `--- contentionz`, `--- mutex:`, `--- contention:` |
//! | Go's counts | `goroutine profile: total 10` |
//! | threads | `--- threadz 1 ---` |
//!
//! All of them contain addresses of a process. Most end with the text of its `/proc/PID/maps`,
//! which gives modules (device, inode and path, without build IDs) and file offsets. If an
//! allocator sampled by a Poisson process, values are scaled up to the estimated total, as `pprof`
//! does. Functions that Go writes after `#` are kept.
//!
//! In CPU profiles, `pprof` removes a frame that nearly all samples have next to their leaf,
//! because it may be the signal handler's. It may as well be a function of the program, so it is
//! kept here.
//!
//! Source: `profile/legacy_profile.go` of github.com/google/pprof,
//! `docs/cpuprofile-fileformat.html` of gperftools, `src/prof_data.c` and `bin/jeprof.in` of
//! jemalloc.

mod build;
mod contention;
mod count;
mod cpu;
mod error;
mod heap;
mod jemalloc;
mod maps;
mod sample_line;
mod text;
mod threadz;

use std::io::BufRead;

use backsight_profile::Profile;

use self::build::LegacyBuilder;
use self::text::TextLines;
use crate::flaws::Flaws;

pub use self::error::Error;
pub use self::text::LineError;

/// The format of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LegacyFormat {
    Cpu(cpu::Words),
    Heap,
    Jemalloc,
    Contention,
    Count,
    Threads,
}

impl LegacyFormat {
    fn of(begin: &[u8]) -> Option<Self> {
        if let Some(words) = cpu::Words::of(begin) {
            return Some(Self::Cpu(words));
        }
        let lines = begin.split(|byte| *byte == b'\n');
        let mut lines = lines.filter(|line| !text::is_empty(line));
        let first = String::from_utf8_lossy(lines.next()?);
        let first = first.trim_ascii();
        if heap::Header::parse(first).is_some() {
            Some(Self::Heap)
        } else if jemalloc::rate(first).is_some() {
            Some(Self::Jemalloc)
        } else if contention::is_header(first) {
            Some(Self::Contention)
        } else if count::kind_of(first).is_some() {
            Some(Self::Count)
        } else {
            threadz::is_header(first).then_some(Self::Threads)
        }
    }
}

/// Whether a file that starts with these bytes is in one of these formats.
#[must_use]
pub fn is_one(begin: &[u8]) -> bool {
    LegacyFormat::of(begin).is_some()
}

/// Reads a profile in one of these formats. Returns it with counts of its flaws; each malformed
/// line is passed to `malformed`.
///
/// # Errors
/// [`Error::Io`] if reading the input fails; [`Error::Malformed`] if it is in none of these
/// formats.
pub fn read(
    mut input: impl BufRead,
    malformed: impl FnMut(&LineError),
) -> Result<(Profile, Flaws), Error> {
    let kind = LegacyFormat::of(input.fill_buf()?);
    let kind = kind.ok_or(Error::Malformed("its first line is not theirs"))?;
    let mut builder = LegacyBuilder::default();
    if let LegacyFormat::Cpu(words) = kind {
        cpu::read(&mut input, words, &mut builder)?;
        let mut text = TextLines::new(input, malformed);
        maps::read(&mut text, &mut builder)?;
        return Ok(finished(builder, &text));
    }
    let mut text = TextLines::new(input, malformed);
    match kind {
        LegacyFormat::Heap => heap::read(&mut text, &mut builder)?,
        LegacyFormat::Jemalloc => jemalloc::read(&mut text, &mut builder)?,
        LegacyFormat::Contention => contention::read(&mut text, &mut builder)?,
        LegacyFormat::Count => count::read(&mut text, &mut builder)?,
        LegacyFormat::Threads | LegacyFormat::Cpu(_) => threadz::read(&mut text, &mut builder)?,
    }
    text.skip_to_maps()?;
    maps::read(&mut text, &mut builder)?;
    Ok(finished(builder, &text))
}

/// Reported if the text may have been cut within its last line.
const CUT: &str = "last line without a line end: the text may have been cut there";

fn finished<R: BufRead, F: FnMut(&LineError)>(
    mut builder: LegacyBuilder,
    text: &TextLines<R, F>,
) -> (Profile, Flaws) {
    if !text.is_ended() {
        builder.flaws.change(CUT, 1);
    }
    builder.finish()
}
