//! All ways to open a process give the same answers and leave no descriptors open.

mod common;

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{self, Command};

use common::{FIRST, backends, covering, line, open, walk};
use testkit::child::Child;
use testkit::maps::Line;
use testkit::naive;
use vma_query::{
    AbsAddr, Backend, Cursor, Error, NameBuf, OpenOptions, ProcMaps, Query, Snapshot, Vmas,
};

#[test]
fn every_way_to_open_gives_the_same_vmas() {
    let child = Child::spawn();
    let pid = child.pid();
    let dir = tempfile::tempdir().unwrap();
    symlink("/proc", dir.path().join("host-proc")).unwrap();
    let process = || OwnedFd::from(File::open(format!("/proc/{pid}")).unwrap());
    let maps = || OwnedFd::from(File::open(format!("/proc/{pid}/maps")).unwrap());
    let elsewhere = OpenOptions::new().proc_root(dir.path().join("host-proc"));
    let plain = OpenOptions::new();
    let alone = OpenOptions::new().directory(false);

    let want: Vec<Line> = naive::lines(&naive::text_of(pid).unwrap()).collect();
    let ways: [(&str, bool, vma_query::Result<ProcMaps>); 8] = [
        ("pid", true, ProcMaps::open(pid)),
        ("pid without directory", false, alone.open(pid)),
        ("task", true, plain.open_task(pid, pid)),
        ("directory", true, plain.open_dir(process())),
        ("directory not kept", false, alone.open_dir(process())),
        ("descriptor", false, Ok(plain.from_fd(maps()))),
        ("another /proc", true, elsewhere.open(pid)),
        ("task in another /proc", true, elsewhere.open_task(pid, pid)),
    ];
    for (way, has_directory, opened) in ways {
        let maps = opened.unwrap_or_else(|why| panic!("{way}: {why}"));
        assert_eq!(walk(&maps).unwrap(), want, "{way}");
        assert_eq!(maps.directory().is_some(), has_directory, "{way}");
    }
}

#[test]
fn self_is_this_process() {
    let here = AbsAddr(self_is_this_process as *const () as u64);
    let by_pid = ProcMaps::open(process::id()).unwrap();
    let want = by_pid.query(Query::covering(here)).unwrap();
    assert!(want.is_some_and(|vma| vma.is_executable()));
    for backend in backends() {
        let maps = OpenOptions::new().backend(backend).open_self().unwrap();
        assert_eq!(
            maps.query(Query::covering(here)).unwrap(),
            want,
            "{backend:?}"
        );
    }
}

#[test]
fn where_there_is_no_proc_there_is_no_process() {
    let dir = tempfile::tempdir().unwrap();
    let opened = OpenOptions::new().proc_root(dir.path()).open_self();
    assert!(matches!(opened, Err(Error::NoSuchProcess)), "{opened:?}");
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let opened = OpenOptions::new().proc_root(&file).open_self();
    let Err(Error::Io(error)) = &opened else {
        panic!("{opened:?}");
    };
    let path = file.join("self");
    assert_eq!((error.operation(), error.path()), ("open", Some(&*path)));
    let (said, cause) = (error.to_string(), error.error());
    assert_eq!(said, format!("open {}: {cause}", path.display()));
    assert_eq!(cause.kind(), io::ErrorKind::NotADirectory);
}

#[test]
fn maps_that_may_not_be_opened_have_a_reason() {
    let file = tempfile::tempdir().unwrap();
    let maps = file.path().join("7/maps");
    fs::create_dir(file.path().join("7")).unwrap();
    // A link to itself: even root cannot follow it.
    symlink("maps", &maps).unwrap();
    for directory in [true, false] {
        let options = OpenOptions::new().directory(directory);
        let opened = options.proc_root(file.path()).open(7);
        let said = opened.expect_err("a link without an end").to_string();
        let want = format!("open {}: ", maps.display());
        assert!(said.starts_with(&want), "{said}");
    }
}

const OPENER: &str = "VMA_QUERY_OPENER";
const ADDRESS: &str = "VMA_QUERY_ADDRESS";

/// Runs itself again with its own maps file as standard input: queries of the other
/// process are still answered about this one.
#[test]
fn a_descriptor_passed_on_stays_bound_to_its_opener() {
    if let Ok(opener) = std::env::var(OPENER) {
        return ask_of_stdin(opener.parse().unwrap());
    }
    let test = "a_descriptor_passed_on_stays_bound_to_its_opener";
    let done = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env(OPENER, process::id().to_string())
        .env(ADDRESS, format!("{:p}", walk as *const ()))
        .stdin(File::open("/proc/self/maps").unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}");
}

fn ask_of_stdin(opener: u32) {
    assert_ne!(opener, process::id());
    let code: AbsAddr = std::env::var(ADDRESS).unwrap().parse().unwrap();
    let lines: Vec<Line> = naive::lines(&naive::text_of(opener).unwrap()).collect();
    for backend in backends() {
        let fd = io::stdin().as_fd().try_clone_to_owned().unwrap();
        let passed_on = OpenOptions::new().backend(backend).from_fd(fd);
        let mut name = NameBuf::new();
        let found = passed_on.query_named(Query::covering(code), &mut name);
        let found = line(found.unwrap().expect("code"), name.as_bytes());
        assert_eq!(Some(&found), covering(&lines, code), "{backend:?}");
    }
}

#[test]
fn threads_share_one_open_process() {
    let mut child = Child::spawn();
    child.layout("/proc/self/exe", 400);
    let want: Vec<Line> = naive::lines(&naive::text_of(child.pid()).unwrap()).collect();
    for backend in backends() {
        let maps = open(child.pid(), backend);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..5).for_each(|_| assert_eq!(walk(&maps).unwrap(), want)));
            }
        });
    }
}

#[test]
fn every_descriptor_is_closed_on_exec_and_on_drop() {
    let mut child = Child::spawn();
    let pid = child.pid();
    assert!(descriptors_of(pid).is_empty());
    for backend in backends() {
        for (directory, want) in [(true, 2), (false, 1)] {
            let options = OpenOptions::new().backend(backend).directory(directory);
            let maps = options.open(pid).unwrap();
            walk(&maps).unwrap();
            maps.snapshot().unwrap();
            let opened = descriptors_of(pid);
            assert_eq!(opened.len(), want, "{opened:?}");
            for info in opened {
                assert!(is_closed_on_exec(&info), "{info:?}");
            }
            drop(maps);
            assert!(descriptors_of(pid).is_empty());
        }
    }
    child.exit();
    for directory in [true, false] {
        let options = OpenOptions::new().directory(directory);
        let ended = options.open(pid).and_then(|maps| maps.query(FIRST));
        assert!(matches!(ended, Err(Error::ProcessGone)), "{ended:?}");
        assert!(
            descriptors_of(pid).is_empty(),
            "an error leaves nothing open"
        );
    }
}

/// Returns the `fdinfo` files of this process's descriptors below `/proc/PID`.
fn descriptors_of(pid: u32) -> Vec<PathBuf> {
    let process = PathBuf::from(format!("/proc/{pid}"));
    let all = fs::read_dir("/proc/self/fd").unwrap();
    all.filter_map(|fd| {
        let fd = fd.unwrap();
        // Other tests open and close files meanwhile.
        let target = fs::read_link(fd.path()).ok()?;
        let info = PathBuf::from("/proc/self/fdinfo").join(fd.file_name());
        target.starts_with(&process).then_some(info)
    })
    .collect()
}

fn is_closed_on_exec(fdinfo: &PathBuf) -> bool {
    const O_CLOEXEC: u32 = 0o2_000_000;
    let text = fs::read_to_string(fdinfo).unwrap();
    let flags = text
        .lines()
        .find_map(|line| line.strip_prefix("flags:"))
        .unwrap();
    u32::from_str_radix(flags.trim(), 8).unwrap() & O_CLOEXEC != 0
}

#[test]
fn threads_may_share_and_send_all_of_it() {
    fn may<T: Send + Sync>() {}
    may::<(ProcMaps, OpenOptions, Snapshot)>();
    may::<(Cursor<'_>, Vmas<'_>)>();
    may::<(NameBuf, Backend, Query, Error)>();
}
