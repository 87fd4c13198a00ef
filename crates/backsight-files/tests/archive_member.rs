//! Members of archives, found by offset and by name, and damaged archives.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use backsight_files::{Access, ArchiveMember, Error, Image};
use testkit::zip::Zip;

const PAGE: usize = 4096;

fn archive() -> Vec<u8> {
    Zip::new()
        .deflated("AndroidManifest.xml", &[1; 300])
        .stored("lib/x86_64/liba.so", &[2; 5000], PAGE)
        .stored("assets/empty", &[], 1)
        .stored("lib/x86_64/libb.so", &[3; 9000], 4 * PAGE)
        .deflated("lib/x86_64/libpacked.so", &[4; 5000])
        .stored("last", &[5; 10], 1)
        .build()
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes).expect("written");
    file
}

#[test]
fn a_member_is_found_by_each_of_its_offsets_and_by_name() {
    let bytes = archive();
    let file = file(&bytes);
    let mut covered = 0;
    for name in ["lib/x86_64/liba.so", "lib/x86_64/libb.so", "last"] {
        let member = ArchiveMember::named(&file, name.as_bytes()).expect("sound");
        let member = member.expect("there");
        assert_eq!(member.name, name.as_bytes());
        let path = member.path_in(b"/data/base.apk");
        assert_eq!(path, format!("/data/base.apk!/{name}").as_bytes());
        let split = ArchiveMember::split(&path);
        assert_eq!(split, Some((&b"/data/base.apk"[..], name.as_bytes())));
        for offset in member.range.clone() {
            let found = ArchiveMember::at(&file, offset).expect("sound");
            assert_eq!(found.as_ref(), Some(&member), "{offset:#x}");
            covered += 1;
        }
        let before = ArchiveMember::at(&file, member.range.start - 1).expect("sound");
        assert_eq!(before, None, "its local header is before it");
        let path = Path::new("base.apk!/").join(name);
        for access in [Access::Map, Access::Read] {
            let image = Image::of_path(&file, Some(&path), access, 1 << 20).expect("bytes");
            let range = member.range.start as usize..member.range.end as usize;
            assert_eq!(*image, bytes[range], "{name} by {access:?}");
        }
    }
    assert_eq!(covered, 14_010);
}

/// No member has an offset of two: counted over the whole archive.
#[test]
fn other_offsets_are_of_no_member() {
    let bytes = archive();
    let file = file(&bytes);
    let mut found = 0;
    for offset in (0..bytes.len() as u64 + 100).step_by(7) {
        let member = ArchiveMember::at(&file, offset).expect("sound");
        let Some(member) = member else { continue };
        assert!(member.range.contains(&offset));
        found += 1;
    }
    // A seventh of 14,010 bytes.
    assert!((1990..=2010).contains(&found), "{found}");
    for offset in [u64::MAX, 1 << 63] {
        assert_eq!(ArchiveMember::at(&file, offset).expect("sound"), None);
    }
}

#[test]
fn compressed_and_missing_members_are_none() {
    let file = file(&archive());
    for name in ["lib/x86_64/libpacked.so", "lib/x86_64/libc.so", "", "lib"] {
        let found = ArchiveMember::named(&file, name.as_bytes()).expect("sound");
        assert_eq!(found, None, "{name}");
    }
    let path = Path::new("base.apk!/lib/none.so");
    let refused = Image::of_path(&file, Some(path), Access::Read, 1 << 20);
    let refused = refused.expect_err("no such member").into_error();
    assert_eq!(refused, Error::NoMember);
}

/// A path with `!/` whose file is no archive is that of a file in a directory `a!`.
#[test]
fn other_files_are_read_whole() {
    for bytes in [&b""[..], b"PK", b"\x7fELF and more"] {
        let file = file(bytes);
        assert!(!ArchiveMember::is_archive(&file).expect("readable"));
        assert_eq!(ArchiveMember::at(&file, 0).expect("readable"), None);
        let path = Path::new("/a!/b");
        let image = Image::of_path(&file, Some(path), Access::Read, 1 << 20);
        assert_eq!(&*image.expect("bytes"), bytes);
    }
}

#[test]
fn paths_are_split_at_the_first_separator() {
    let cases: [(&str, Option<(&str, &str)>); 7] = [
        ("a.apk!/b", Some(("a.apk", "b"))),
        ("a.apk!/b!/c", Some(("a.apk", "b!/c"))),
        ("a.apk!/", None),
        ("!/b", None),
        ("a.apk", None),
        ("a.apk!b", None),
        ("", None),
    ];
    for (path, want) in cases {
        let split = ArchiveMember::split(path.as_bytes());
        let want = want.map(|(archive, name)| (archive.as_bytes(), name.as_bytes()));
        assert_eq!(split, want, "{path}");
    }
}

/// Every cut, and every flipped bit of the directory: an answer that lies inside of the file, or
/// an error; and the members of a sound archive are not found elsewhere.
#[test]
fn damaged_archives_end_in_an_answer_or_an_error() {
    let bytes = archive();
    let (mut answers, mut errors) = (0, 0);
    let mut ask = |bytes: &[u8], what: &str| {
        let file = file(bytes);
        let results = [
            ArchiveMember::at(&file, 4096 + 17),
            ArchiveMember::named(&file, b"lib/x86_64/libb.so"),
        ];
        for result in results {
            match result {
                Ok(Some(member)) => {
                    let range = member.range;
                    assert!(range.start <= range.end, "{what}");
                    assert!(range.end <= bytes.len() as u64, "{what}: {range:?}");
                    answers += 1;
                }
                Ok(None) => {}
                Err(error) => {
                    assert_eq!(*error.error(), Error::DamagedArchive, "{what}");
                    errors += 1;
                }
            }
        }
    };
    for len in (0..bytes.len()).step_by(97) {
        ask(&bytes[..len], &format!("cut at {len}"));
    }
    let directory = bytes.len() - 600;
    for at in directory..bytes.len() {
        for bit in [0, 3, 7] {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            ask(&flipped, &format!("bit {bit} of {at}"));
        }
    }
    assert!(answers > 1000 && errors > 200, "{answers} {errors}");
}
