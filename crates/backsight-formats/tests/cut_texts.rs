//! Texts that were cut at any byte: what can be noticed is counted, and no part of a name is taken
//! for a name.
//!
//! A text that was cut between two samples is a shorter text, and nothing tells: these cuts are
//! the only ones without a word.

use std::collections::BTreeSet;

use backsight_formats::flaws::Flaws;
use backsight_formats::ndjson::{ProfileReader, Reader};
use backsight_formats::{folded, legacy, perf_script};
use backsight_profile::Profile;

const CHAINS: &str = "\
survey  8137/8140 [001] 28296.545590:     500000 cpu-clock:
\t    1146 aim (inlined)
\t    1146 read(int)+0xd (/usr/bin/survey)
  survey.rs:33
\t    2222 main+0x10 (/tmp/a (deleted))
\tffffffff821ef691 do_syscall_64+0x71 ([kernel.kallsyms])

survey  8137/8140 [001] 28296.546090:     500000 cpu-clock:
\t    1148 read(int)+0xf (/usr/bin/survey)
\t    2222 main+0x10 (/tmp/a (deleted))

survey  8137/8141 [000] 28296.546590:     500000 cpu-clock:
\t    1149 other+0x1 (/usr/bin/survey)

";

const LINES: &str = "\
survey  8137 28296.545590:     500000 cpu-clock:      564141f51206 aim+0xd (/usr/bin/survey)
survey  8137 28296.546090:     500000 cpu-clock:      564141f51306 note+0xd (/usr/bin/survey)
survey  8138 28296.546590:     500000 cpu-clock:      564141f51406 read+0xd (/usr/bin/survey)
";

const FOLDED: &str = "survey;main;read 1200\nsurvey;main;aim 34\nsurvey;note 5\n";

const HEAP: &str = "\
heap profile:      3:     1024 [    10:    20480] @ heapprofile
     1:      512 [     4:     2048] @ 0x401136 0x401200
     2:      512 [     6:    18432] @ 0x401148 0x401200

MAPPED_LIBRARIES:
00400000-00402000 r-xp 00000000 fe:00 1234                               /usr/bin/survey
7f0000000000-7f0000020000 r-xp 00000000 fe:00 77                         /usr/lib/libc.so.6
";

const NDJSON: &str = r#"{"type":"header","schema_version":1}
{"type":"profile","sample_types":[{"kind":"samples","unit":"count"}]}
{"type":"address","address":"0x10","reason":"unmapped"}
{"type":"address","address":"0x20","frames":[{"function":"main"}]}
{"type":"sample","pid":7,"tid":7,"values":[3],"stack":[0,1]}
"#;

/// What came of a text: its profile, and whether anything was said of it.
struct Taken {
    profile: Profile,
    is_said: bool,
}

impl Taken {
    fn of((profile, flaws): (Profile, Flaws), wrong: usize) -> Self {
        let is_said = wrong > 0 || !flaws.is_empty();
        Self { profile, is_said }
    }

    fn functions(&self) -> BTreeSet<String> {
        let frames = self.profile.frames.iter();
        let names = frames.filter_map(|frame| self.profile.strings.get(frame.function?));
        names.map(str::to_owned).collect()
    }
}

fn script(text: &[u8]) -> Taken {
    let mut wrong = 0;
    let read = perf_script::read(text, false, |_| wrong += 1);
    Taken::of(read.expect("a slice"), wrong)
}

fn folded(text: &[u8]) -> Taken {
    let mut wrong = 0;
    let read = folded::read(text, |_| wrong += 1);
    Taken::of(read.expect("a slice"), wrong)
}

fn legacy(text: &[u8]) -> Taken {
    let mut wrong = 0;
    match legacy::read(text, |_| wrong += 1) {
        Ok(read) => Taken::of(read, wrong),
        Err(_) => Taken {
            profile: Profile::default(),
            is_said: true,
        },
    }
}

fn ndjson(text: &[u8]) -> Taken {
    let mut reader = ProfileReader::new(false);
    let mut is_said = false;
    for item in Reader::new(text) {
        match item {
            Ok((_, record)) => is_said |= reader.take(record).is_err(),
            Err(_) => is_said = true,
        }
    }
    Taken {
        profile: reader.into_profile(),
        is_said,
    }
}

/// Cuts a text at each byte. Returns the lengths at which nothing is said, and checks that all
/// functions are those of the whole text.
fn silent_cuts(text: &str, read: impl Fn(&[u8]) -> Taken) -> Vec<usize> {
    let whole = read(text.as_bytes());
    assert!(!whole.is_said, "{text}");
    let names = whole.functions();
    let mut silent = Vec::new();
    for len in 1..text.len() {
        let cut = read(&text.as_bytes()[..len]);
        let part = &text[..len];
        if !cut.is_said {
            silent.push(len);
        }
        let unknown: Vec<_> = cut.functions().difference(&names).cloned().collect();
        assert!(unknown.is_empty(), "{unknown:?} in {part}");
    }
    silent
}

/// The lengths of a text up to the end of each of these, but not the whole text.
fn ends(text: &str, of: &str) -> Vec<usize> {
    let ends = text.match_indices(of).map(|(at, _)| at + of.len());
    ends.filter(|end| *end < text.len()).collect()
}

#[test]
fn stacks_are_said_to_be_cut_except_between_samples() {
    // The first line alone may be a whole sample without a stack.
    let first = CHAINS.find('\n').expect("a line") + 1;
    let want = [vec![first], ends(CHAINS, "\n\n")].concat();
    assert_eq!(silent_cuts(CHAINS, script), want);
}

#[test]
fn samples_of_one_line_are_said_to_be_cut_except_between_lines() {
    assert_eq!(silent_cuts(LINES, script), ends(LINES, "\n"));
    assert_eq!(silent_cuts(HEAP, legacy), ends(HEAP, "\n"));
    // A record without its line end is whole.
    let closed = ends(NDJSON, "\n")
        .into_iter()
        .flat_map(|end| [end - 1, end]);
    let closed: Vec<usize> = closed.chain([NDJSON.len() - 1]).collect();
    assert_eq!(silent_cuts(NDJSON, ndjson), closed);
}

/// A value may be cut, too, and then looks like another one.
#[test]
fn a_last_value_without_a_line_end_is_used_and_said() {
    assert_eq!(silent_cuts(FOLDED, folded), ends(FOLDED, "\n"));
    let cut = folded(FOLDED.trim_end().as_bytes());
    assert!(cut.is_said);
    assert_eq!(cut.profile.samples.len(), 3);
}
