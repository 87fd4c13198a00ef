//! Sessions that are told of what happens to a process, as by the records of perf, and that
//! answer for it after its end.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use backsight_normalize::{
    AbsAddr, AbsRange, Error, FileOffset, Mmap, ModuleIdx, Options, Outcome, Reason, Session,
    SharedModules, Trust,
};
use backsight_types::trace::MovedText;
use backsight_types::{BuildId, Device, Perms};
use testkit::child::Child;
use testkit::naive;

/// Returns what an `MMAP2` record says of the mapping at this address; with its device and inode,
/// or with its build ID, as the kernel writes one or the other.
fn record(pid: u32, start: u64, by_build_id: bool) -> Mmap {
    let text = naive::text_of(pid).unwrap();
    let line = naive::lines(&text).find(|line| line.start == start);
    let line = line.expect("the mapping");
    let path = String::from_utf8(line.name.clone()).unwrap();
    let (device, inode, build_id) = match by_build_id {
        true => (Device::default(), 0, Some(build_id(path.as_ref()))),
        false => {
            let (major, minor) = (line.major, line.minor);
            (Device { major, minor }, line.inode, None)
        }
    };
    Mmap {
        range: AbsRange {
            start: AbsAddr(line.start),
            end: AbsAddr(line.end),
        },
        offset: FileOffset(line.offset),
        perms: Perms::READ | Perms::EXECUTE,
        device,
        inode,
        build_id,
        name: path.into_bytes(),
        moved: MovedText::Unknown,
    }
}

fn build_id(path: &Path) -> BuildId {
    let bytes = fs::read(path).unwrap();
    let headers = backsight_elf::Headers::parse(bytes.as_slice()).unwrap();
    headers.build_id.expect("a build ID")
}

fn ask(session: &mut Session, addr: u64) -> Outcome {
    let mut outcomes = Vec::new();
    session.normalize(&[AbsAddr(addr)], &mut outcomes).unwrap();
    outcomes[0]
}

fn located(module: u32, offset: u64) -> Outcome {
    Outcome::Located {
        module: ModuleIdx(module),
        file_offset: FileOffset(offset),
    }
}

/// Returns the number of descriptors of this process whose files have paths that begin so; other
/// tests have others.
fn open_files(begin: &str) -> usize {
    let all = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let paths = all.filter_map(|entry| fs::read_link(entry.path()).ok());
    paths
        .filter(|path| path.to_string_lossy().starts_with(begin))
        .count()
}

#[test]
fn a_process_that_has_ended_is_answered_by_its_records() {
    for by_build_id in [false, true] {
        for trust in [Trust::Recheck, Trust::UntilInvalidated] {
            let mut child = Child::spawn();
            let (seen, unseen) = (child.map("/bin/cat", "r-xp"), child.map("/bin/ls", "r-xp"));
            let anon = child.anon("rwxp", 0x1000);
            let options = Options::default().with_trust(trust);
            let mut session = Session::open(child.pid(), options).unwrap();
            for start in [seen.start, unseen.start] {
                session.on_mmap(&record(child.pid(), start, by_build_id));
            }
            session.on_mmap(&Mmap {
                range: AbsRange {
                    start: AbsAddr(anon.start),
                    end: AbsAddr(anon.end),
                },
                perms: Perms::READ | Perms::EXECUTE,
                name: b"//anon".to_vec(),
                ..Mmap::default()
            });
            let alive = ask(&mut session, seen.start + 0x10);
            assert_eq!(alive, located(0, 0x10));
            // Nothing says that it ends: the next call finds out.
            child.kill();
            let addrs = [seen.start + 0x10, unseen.start + 0x20, anon.start, 0x1000];
            let addrs = addrs.map(AbsAddr);
            for _ in 0..2 {
                let mut outcomes = Vec::new();
                session.normalize(&addrs, &mut outcomes).unwrap();
                let reasons = [Reason::Anonymous, Reason::ProcessGone];
                let [made, unknown] = reasons.map(Outcome::Unresolved);
                let want = [alive, located(1, 0x20), made, unknown];
                assert_eq!(outcomes, want, "{by_build_id} {trust:?}");
            }
            let modules = session.modules();
            assert_eq!(modules.len(), 2);
            assert!(modules[0].module.segments.is_some(), "read while it lived");
            assert_eq!(modules[1].module.path_lossy(), path("/bin/ls"));
            assert_eq!(modules[1].module.build_id.is_some(), by_build_id);
        }
    }
}

/// Returns the path that the kernel reports.
fn path(of: &str) -> String {
    let path = fs::canonicalize(of).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_process_that_nobody_could_open_is_answered_by_its_records() {
    let mut child = Child::spawn();
    let code = child.map("/bin/cat", "r-xp");
    let record = record(child.pid(), code.start, true);
    child.kill();
    let gone = Session::open(child.pid(), Options::default());
    assert!(matches!(gone, Err(Error::NoSuchProcess)));
    let mut session = Session::of_records(Options::default());
    session.on_mmap(&record);
    assert_eq!(ask(&mut session, code.start), located(0, 0));
    session.on_munmap(record.range);
    let unmapped = Outcome::Unresolved(Reason::Unmapped);
    assert_eq!(ask(&mut session, code.start), unmapped);
    session.on_exec().unwrap();
    let gone = Outcome::Unresolved(Reason::ProcessGone);
    assert_eq!(ask(&mut session, code.start), gone);
}

#[test]
fn a_file_of_a_record_is_the_module_that_is_read_later() {
    for by_build_id in [false, true] {
        let (mut short, mut long) = (Child::spawn(), Child::spawn());
        let (a, b) = (short.map("/bin/cat", "r-xp"), long.map("/bin/cat", "r-xp"));
        let shared = SharedModules::new();
        let mut of_records = Session::of_records(Options::default()).sharing(&shared);
        of_records.on_mmap(&record(short.pid(), a.start, by_build_id));
        short.kill();
        assert_eq!(ask(&mut of_records, a.start), located(0, 0));
        let live = Session::open(long.pid(), Options::default()).unwrap();
        let mut live = live.sharing(&shared);
        // Only a build ID proves that the record's file is the one that is mapped now.
        let want = u32::from(!by_build_id);
        assert_eq!(ask(&mut live, b.start), located(want, 0), "{by_build_id}");
        let modules = shared.read();
        assert!(modules[want as usize].module.segments.is_some());
        assert!(modules[want as usize].module.inode != 0);
        assert_eq!(live.shared_modules().unwrap().read().len(), modules.len());
        // And the other way round.
        let mut again = Session::of_records(Options::default()).sharing(&shared);
        again.on_mmap(&record(long.pid(), b.start, by_build_id));
        assert_eq!(ask(&mut again, b.start), located(0, 0), "{by_build_id}");
        assert_eq!(shared.read().len(), modules.len());
    }
}

#[test]
fn a_forked_process_has_what_its_parent_had() {
    for ended in [false, true] {
        let mut parent = Child::spawn();
        let code = parent.map("/bin/cat", "r-xp");
        let told = parent.map("/bin/ls", "r-xp");
        let options = Options::default().with_trust(Trust::UntilInvalidated);
        let mut session = Session::open(parent.pid(), options).unwrap();
        session.on_mmap(&record(parent.pid(), told.start, true));
        assert_eq!(ask(&mut session, code.start), located(0, 0));
        let pid = parent.fork();
        if ended {
            let pid = nix::unistd::Pid::from_raw(pid.try_into().unwrap());
            nix::sys::signal::kill(pid, nix::sys::signal::SIGKILL).unwrap();
            // The parent does not wait for it: a zombie has no memory.
            while fs::read(format!("/proc/{pid}/maps")).is_ok_and(|maps| !maps.is_empty()) {
                thread::yield_now();
            }
        }
        let mut child = session.on_fork(pid).unwrap();
        assert_eq!(ask(&mut child, code.start), located(0, 0), "{ended}");
        assert_eq!(ask(&mut child, told.start), located(1, 0), "{ended}");
        // What happens to one does not change the other.
        child.on_munmap(AbsRange {
            start: AbsAddr(told.start),
            end: AbsAddr(told.end),
        });
        assert_eq!(ask(&mut session, told.start), located(1, 0), "{ended}");
        drop(parent);
    }
}

#[test]
fn an_ended_session_has_no_descriptors() {
    let mut child = Child::spawn();
    let code = child.map("/bin/cat", "r-xp");
    let of_child = || open_files(&format!("/proc/{}", child.pid()));
    let mut session = Session::open(child.pid(), Options::default()).unwrap();
    assert_eq!(ask(&mut session, code.start), located(0, 0));
    assert!(of_child() > 0);
    session.on_exit();
    assert_eq!(of_child(), 0);
    assert!(session.maps().is_none());
    assert_eq!(ask(&mut session, code.start), located(0, 0));
}

#[test]
fn images_are_released_and_modules_are_removed() {
    let mut child = Child::spawn();
    let dir = tempfile::tempdir().unwrap();
    let programs = ["a", "b", "c", "d"].map(|name| {
        let copy = dir.path().join(name);
        testkit::copy(testkit::child::program(), &copy).unwrap();
        copy
    });
    let code = programs
        .each_ref()
        .map(|path| child.map(path, "r-xp").start);
    let shared = SharedModules::new();
    let options = Options::default().with_images(true);
    let mut session = Session::open(child.pid(), options)
        .unwrap()
        .sharing(&shared);
    for (module, code) in (0..).zip(code) {
        assert_eq!(ask(&mut session, code), located(module, 0));
    }
    let has_image = || {
        shared
            .read()
            .iter()
            .map(|it| it.image.is_some())
            .collect::<Vec<_>>()
    };
    assert_eq!(has_image(), [true; 4]);
    let are_open = || open_files(dir.path().to_str().unwrap());
    assert_eq!(are_open(), 4);
    assert_eq!(shared.release_images(1), 3);
    assert_eq!(are_open(), 1);
    assert_eq!(has_image(), [false, false, false, true]);
    assert_eq!((shared.release_images(1), shared.release_images(0)), (0, 1));
    assert_eq!(session.release_images(0), 0);
    assert_eq!(ask(&mut session, code[0]), located(0, 0));

    assert!(shared.remove(ModuleIdx(0)));
    assert!(!shared.remove(ModuleIdx(99)));
    assert_eq!(shared.read()[0].module, backsight_types::Module::default());
    assert_eq!(
        ask(&mut session, code[0]),
        located(4, 0),
        "it is read again"
    );
    assert_eq!(ask(&mut session, code[1]), located(1, 0));
}

/// A reader that is in the way would stop the session for ever.
#[test]
fn who_reads_the_modules_can_normalize() {
    let mut child = Child::spawn();
    let code = child.map("/bin/cat", "r-xp");
    let shared = SharedModules::new();
    let mut session = Session::open(child.pid(), Options::default())
        .unwrap()
        .sharing(&shared);
    let read = shared.read();
    assert_eq!(ask(&mut session, code.start), located(0, 0));
    assert_eq!((read.len(), shared.read().len()), (0, 1));
}

#[test]
fn a_file_that_many_read_at_once_is_one_module() {
    let mut child = Child::spawn();
    let code = child.map("/bin/cat", "r-xp").start;
    let (pid, shared) = (child.pid(), SharedModules::new());
    let gate = Arc::new(std::sync::Barrier::new(8));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (shared, gate) = (shared.clone(), Arc::clone(&gate));
            thread::spawn(move || {
                let mut session = Session::open(pid, Options::default()).unwrap();
                session = session.sharing(&shared);
                gate.wait();
                ask(&mut session, code)
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), located(0, 0));
    }
    assert_eq!(shared.read().len(), 1);
}
