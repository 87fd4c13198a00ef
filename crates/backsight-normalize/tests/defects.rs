//! Cases that other normalizers get wrong.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use backsight_normalize::{AbsAddr, Backend, Normalized, Options, Outcome, Reason, normalize};
use backsight_types::BuildId;
use testkit::child::Child;
use testkit::elf::{Elf, Note, Shape};
use testkit::kernel::{Ioctl, ioctl};

/// Runs `check` with each backend that this kernel supports.
fn by_both(pid: u32, addrs: &[u64], check: impl Fn(&Normalized, &str)) {
    let addrs = AbsAddr::from_slice(addrs);
    let forced = |backend| normalize(pid, addrs, Options::default().with_backend(backend));
    check(&forced(Backend::Text).unwrap(), "text");
    match ioctl() {
        Ioctl::Answers => check(&forced(Backend::Ioctl).unwrap(), "ioctl"),
        Ioctl::Refused(_) => {
            let refused = forced(Backend::Ioctl);
            assert!(matches!(
                refused,
                Err(backsight_normalize::Error::Unsupported)
            ));
        }
    }
}

/// Returns a copy of a real library with another build ID, in which one byte is changed.
fn library_with_build_id(like: &Path, to: &Path, turn: u8) -> BuildId {
    let mut bytes = fs::read(like).unwrap();
    let old = backsight_elf::Headers::parse(bytes.as_slice())
        .unwrap()
        .build_id
        .unwrap();
    let old = old.as_bytes();
    let place = bytes
        .windows(old.len())
        .position(|window| window == old)
        .unwrap();
    bytes[place] ^= turn;
    let new = BuildId::from_bytes(&bytes[place..place + old.len()]).unwrap();
    fs::write(to, bytes).unwrap();
    new
}

/// A library of this machine with a build ID and some code.
fn libc() -> std::path::PathBuf {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let path = maps.lines().find_map(|line| {
        line.split_whitespace()
            .nth(5)
            .filter(|p| p.contains("libc.so"))
    });
    path.expect("tests are linked to libc").into()
}

#[test]
fn a_deleted_library_keeps_its_own_build_id_though_another_took_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lib.so");
    let old_id = library_with_build_id(&libc(), &path, 0x01);
    let mut child = Child::spawn();
    let old = child.map(&path, "r-xp");
    // The change is later than the process's begin, also by the slow clocks of both.
    std::thread::sleep(std::time::Duration::from_millis(100));
    let new_id = {
        let beside = dir.path().join("lib.so.new");
        let id = library_with_build_id(&libc(), &beside, 0x02);
        fs::rename(&beside, &path).unwrap();
        id
    };
    let new = child.map(&path, "r-xp");
    by_both(
        child.pid(),
        &[old.start + 0x100, new.start + 0x100],
        |got, backend| {
            let module = |place: usize| match got.outcomes[place] {
                Outcome::Located { module, .. } => &got.modules[module.as_usize()].module,
                Outcome::Unresolved(reason) => panic!("{backend}: {reason}"),
                other => panic!("{other:?}"),
            };
            assert_eq!(module(0).path, module(1).path, "{backend}: one path");
            assert_ne!(module(0).inode, module(1).inode, "{backend}: two files");
            assert!(module(0).deleted && !module(1).deleted, "{backend}");
            assert_eq!(module(1).build_id, Some(new_id), "{backend}");
            // Without map_files (not root), and by text, the old file cannot be read.
            let reachable = testkit::is_root() || backend == "ioctl";
            assert_eq!(module(0).build_id, reachable.then_some(old_id), "{backend}");
            if !testkit::is_root() {
                assert_eq!(module(0).unreadable, Some(Reason::Deleted), "{backend}");
            }
        },
    );
}

#[test]
fn a_note_of_another_owner_is_no_build_id() {
    // libc has a .note.stapsdt, which has the same type number as a build ID note.
    let notes = [Note::stapsdt(), Note::gnu_build_id(&[7; 20])];
    let stapsdt_first = Elf::new(Shape::ELF64_LITTLE)
        .note_segment(&notes, 4)
        .build();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), stapsdt_first).unwrap();
    let mut child = Child::spawn();
    let code = child.map(file.path(), "r-xp");
    by_both(child.pid(), &[code.start], |got, backend| {
        let want = BuildId::from_bytes(&[7; 20]).ok();
        assert_eq!(got.modules[0].module.build_id, want, "{backend}");
    });
}

#[test]
fn a_batch_above_all_vmas_has_reasons_and_is_no_error() {
    let mut child = Child::spawn();
    let above = child.stack().end + 0x1000_0000;
    let addrs: Vec<u64> = (0..100)
        .map(|n| above + n * 0x1000)
        .chain([u64::MAX])
        .collect();
    by_both(child.pid(), &addrs, |got, backend| {
        for outcome in &got.outcomes[..100] {
            assert_eq!(*outcome, Outcome::Unresolved(Reason::Unmapped), "{backend}");
        }
        assert_eq!(
            got.outcomes[100],
            Outcome::Unresolved(Reason::Kernel),
            "{backend}"
        );
    });
}

#[test]
fn an_execute_only_mapping_is_located_by_both_backends() {
    let mut child = Child::spawn();
    let code = child.map(libc(), "--xp");
    by_both(child.pid(), &[code.start + 0x10], |got, backend| {
        assert!(
            matches!(got.outcomes[0], Outcome::Located { .. }),
            "{backend}"
        );
    });
}

#[test]
fn a_file_that_is_no_elf_does_not_spoil_the_batch() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), vec![b'#'; 0x2000]).unwrap();
    let mut child = Child::spawn();
    let text = child.map(file.path(), "r-xp");
    let lib = child.map(libc(), "r-xp");
    by_both(
        child.pid(),
        &[text.start + 1, lib.start + 1, 0],
        |got, backend| {
            let module = |place: usize| match got.outcomes[place] {
                Outcome::Located {
                    module,
                    file_offset,
                } => {
                    assert_eq!(file_offset.0, 1, "{backend}");
                    &got.modules[module.as_usize()].module
                }
                Outcome::Unresolved(reason) => panic!("{backend}: {reason}"),
                other => panic!("{other:?}"),
            };
            assert_eq!(module(0).unreadable, Some(Reason::Unreadable), "{backend}");
            assert_eq!(
                (module(0).build_id, &module(0).segments),
                (None, &None),
                "{backend}"
            );
            assert!(
                module(1).build_id.is_some() && module(1).segments.is_some(),
                "{backend}"
            );
            assert_eq!(
                got.outcomes[2],
                Outcome::Unresolved(Reason::Unmapped),
                "{backend}"
            );
        },
    );
}

#[test]
fn one_file_by_two_paths_is_one_module() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    testkit::copy(libc(), &one).unwrap();
    fs::hard_link(&one, &two).unwrap();
    let mut child = Child::spawn();
    let addrs = [child.map(&one, "r-xp").start, child.map(&two, "r-xp").start];
    by_both(child.pid(), &addrs, |got, backend| {
        assert_eq!(got.modules.len(), 1, "{backend}");
        let inode = fs::metadata(&one).unwrap().ino();
        assert_eq!(got.modules[0].module.inode, inode, "{backend}");
    });
}

#[test]
fn one_module_serves_all_its_mappings() {
    let mut child = Child::spawn();
    let mut addrs: Vec<u64> = (0..8).map(|_| child.map(libc(), "r-xp").start).collect();
    addrs.sort_unstable();
    by_both(child.pid(), &addrs, |got, backend| {
        assert_eq!(got.modules.len(), 1, "{backend}");
        assert_eq!(got.outcomes.len(), 8, "{backend}");
    });
}

#[test]
fn an_image_is_handed_over_open_and_is_the_mapped_file() {
    let mut child = Child::spawn();
    let code = child.map(libc(), "r-xp");
    let options = Options::default().with_images(true);
    let got = normalize(child.pid(), &[AbsAddr(code.start)], options).unwrap();
    let Some(backsight_normalize::ModuleImage::File(file)) = &got.modules[0].image else {
        panic!("libc can be read")
    };
    assert_eq!(
        file.metadata().unwrap().ino(),
        fs::metadata(libc()).unwrap().ino()
    );
}
