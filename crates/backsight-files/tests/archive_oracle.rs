//! Members are found where Python's zipfile wrote them: with anything in front of the archive,
//! any comment, 64-bit sizes and counts, and several members of one name.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

use backsight_files::{ArchiveMember, Error};

/// A member as it was written.
#[derive(Debug)]
struct Written {
    name: Vec<u8>,
    is_stored: bool,
    range: Range<u64>,
    /// Whether zipfile reads the archive back.
    is_read: bool,
}

fn written(dir: &Path) -> Option<BTreeMap<String, Vec<Written>>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/zipfile_archives.py");
    let mut python = Command::new("python3");
    let ran = match python.arg(script).arg(dir).output() {
        Ok(ran) => ran,
        Err(_) => {
            testkit::skip("python3: absent");
            return None;
        }
    };
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    let mut archives: BTreeMap<String, Vec<Written>> = BTreeMap::new();
    for line in String::from_utf8(ran.stdout).expect("text").lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| fields[at].parse::<u64>().expect("a number");
        let digits = fields[4].trim_matches('-').as_bytes();
        let byte = |pair: &[u8]| {
            let pair = std::str::from_utf8(pair).expect("digits");
            u8::from_str_radix(pair, 16).expect("digits")
        };
        archives
            .entry(fields[0].to_owned())
            .or_default()
            .push(Written {
                name: digits.chunks(2).map(byte).collect(),
                is_stored: number(1) == 1,
                range: number(2)..number(3),
                is_read: number(5) == 1,
            });
    }
    Some(archives)
}

#[test]
fn members_are_where_pythons_zipfile_wrote_them() {
    let dir = tempfile::tempdir().expect("a directory");
    let Some(archives) = written(dir.path()) else {
        return;
    };
    let (mut found, mut ambiguous, mut unread_by_python) = (0, 0, 0);
    for (archive, members) in &archives {
        let file = File::open(dir.path().join(archive)).expect("written");
        assert!(
            ArchiveMember::is_archive(&file).expect("readable"),
            "{archive}"
        );
        unread_by_python += usize::from(!members[0].is_read);
        // Each costs a pass over the directory.
        let step = (members.len() / 12).max(1);
        for member in members.iter().step_by(step) {
            let namesakes = members.iter().filter(|other| other.name == member.name);
            let is_unique = namesakes.count() == 1;
            let named = ArchiveMember::named(&file, &member.name);
            let what = format!("{archive}: {member:?}");
            match (is_unique, member.is_stored) {
                (true, true) => {
                    let named = named.expect("sound").expect("there");
                    assert_eq!(
                        (&named.name, &named.range),
                        (&member.name, &member.range),
                        "{what}"
                    );
                }
                (true, false) => assert_eq!(named.expect("sound"), None, "{what}"),
                (false, _) => {
                    let error = named.expect_err("ambiguous");
                    let is_ambiguous = matches!(error.error(), Error::AmbiguousMember { .. });
                    assert!(is_ambiguous, "{what}: {error}");
                    ambiguous += 1;
                }
            }
            if !member.is_stored || member.range.is_empty() {
                continue;
            }
            for offset in [member.range.start, member.range.end - 1] {
                let at = ArchiveMember::at(&file, offset)
                    .expect("sound")
                    .expect(&what);
                assert_eq!(at.range, member.range, "{what}");
                assert_eq!(at.name == member.name, is_unique, "{what}");
                assert!(at.name.starts_with(&member.name), "{what}");
                // The name of a member leads to it, also if others have the same.
                let again = ArchiveMember::named(&file, &at.name).expect("sound");
                assert_eq!(again, Some(at), "{what}");
                found += 1;
            }
        }
    }
    assert_eq!(archives.len(), 151);
    assert!(found > 600 && ambiguous > 50, "{found} {ambiguous}");
    // A signature inside of a comment ends what zipfile reads.
    assert!(unread_by_python < 100, "{unread_by_python}");
    eprintln!("{found} places, {ambiguous} ambiguous names, {unread_by_python} unread by zipfile");
}
