//! Equal to `readelf` on every ELF file of this machine's programs and libraries.

use std::path::{Path, PathBuf};

use backsight_elf::Headers;
use backsight_types::{Perms, Segment};
use testkit::skip;
use testkit::tools::{Facts, Load, readelf, tool};

#[test]
fn segments_and_build_ids_equal_those_of_readelf() {
    if tool("readelf").is_none() {
        return skip("no readelf");
    }
    let mut files = Vec::new();
    collect(Path::new("/usr/bin"), &mut files);
    for dir in std::fs::read_dir("/usr/lib").unwrap() {
        let dir = dir.unwrap().path();
        if dir.to_string_lossy().ends_with("-linux-gnu") {
            collect(&dir, &mut files);
        }
    }
    let theirs = readelf(&files).unwrap();
    let mut with_id = 0;
    for (path, theirs) in files.iter().zip(&theirs) {
        // A package may be installed or removed meanwhile.
        let Ok(bytes) = std::fs::read(path) else {
            continue;
        };
        let ours = Headers::parse(bytes.as_slice());
        let ours = ours.unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        with_id += usize::from(ours.build_id.is_some());
        let ours = Facts {
            loads: ours.segments.as_slice().iter().map(load).collect(),
            build_id: ours.build_id.map(|id| id.to_string()),
        };
        assert_eq!(&ours, theirs, "{}", path.display());
    }
    println!(
        "{} files equal, {with_id} of them with a build ID",
        files.len()
    );
    assert!(with_id > 100, "a system with programs: {with_id}");
}

fn load(segment: &Segment) -> Load {
    let letters = [
        (Perms::READ, 'R'),
        (Perms::WRITE, 'W'),
        (Perms::EXECUTE, 'E'),
    ];
    let set = letters
        .iter()
        .filter(|(perm, _)| segment.flags.contains(*perm));
    Load {
        offset: segment.file_offset.0,
        virt: segment.virt_offset.0,
        file_size: segment.file_size,
        memory_size: segment.memory_size,
        flags: set.map(|(_, letter)| letter).collect(),
    }
}

/// Adds the regular files below `dir` that begin as ELF files.
fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return; // closed to this user
    };
    for entry in entries {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            collect(&entry.path(), files);
        } else if kind.is_file() && is_elf(&entry.path()) {
            files.push(entry.path());
        }
    }
}

fn is_elf(path: &Path) -> bool {
    use std::io::Read;
    let mut magic = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && magic == *b"\x7fELF"
}
