//! Callers with restricted access or without free descriptors: each failure has its error
//! type, and nothing wrong is remembered.

mod common;

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;

use common::{FIRST, alone, ask_all, backends, ioctl_answers, open, walk, with_room_for};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use testkit::child::Child;
use testkit::maps::Line;
use testkit::user::unprivileged;
use testkit::{is_root, naive, skip};
use vma_query::{AbsAddr, Backend, Error, OpenOptions, ProcMaps, Query, Result};

fn text(pid: u32) -> Vec<Line> {
    naive::lines(&naive::text_of(pid).unwrap()).collect()
}

fn is_emfile<T>(result: &Result<T>) -> bool {
    matches!(result, Err(Error::Io(why)) if why.error().raw_os_error() == Some(Errno::EMFILE as i32))
}

/// Mounts a `/proc` that hides other users' processes, only for the calling thread.
fn mount_hiding(dir: &Path) -> nix::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    // By number, as the names exist only since Linux 5.8.
    mount(
        Some("proc"),
        dir,
        Some("proc"),
        MsFlags::empty(),
        Some("hidepid=2"),
    )
}

#[test]
fn a_process_that_proc_hides_is_none() {
    if !is_root() {
        return skip("only root mounts a /proc");
    }
    let child = Child::spawn();
    let own = Child::spawn_as(65534);
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(
        dir.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let see = || {
        if let Err(why) = mount_hiding(dir.path()) {
            return skip(&format!("no /proc to be mounted: {why}"));
        }
        unprivileged(|| {
            for backend in backends() {
                for directory in [true, false] {
                    let options = OpenOptions::new().backend(backend).directory(directory);
                    let hiding = options.clone().proc_root(dir.path());
                    let hidden = hiding.open(child.pid());
                    assert!(matches!(hidden, Err(Error::NoSuchProcess)), "{hidden:?}");
                    let hidden = hiding.open_task(child.pid(), child.pid());
                    assert!(matches!(hidden, Err(Error::NoSuchProcess)), "{hidden:?}");
                    let denied = options.open(child.pid());
                    assert!(matches!(denied, Err(Error::Denied(_))), "{denied:?}");
                    let shown = hiding.open(own.pid()).unwrap();
                    assert_eq!(walk(&shown).unwrap(), text(own.pid()), "{backend:?}");
                }
            }
        });
    };
    // A thread's mounts end with it.
    std::thread::scope(|scope| scope.spawn(see).join()).unwrap();
}

#[test]
fn an_open_process_answers_after_it_denies_access() {
    let mut child = match is_root() {
        true => Child::spawn_as(65534),
        false => Child::spawn(),
    };
    let pid = child.pid();
    let want = text(pid);
    unprivileged(|| {
        let opened: Vec<ProcMaps> = backends().into_iter().map(|it| open(pid, it)).collect();
        let mut walks: Vec<_> = opened.iter().map(ProcMaps::vmas).collect();
        for vmas in &mut walks {
            vmas.next().unwrap().unwrap();
        }
        let directory = || OwnedFd::from(File::open(format!("/proc/{pid}")).unwrap());
        let held = [directory(), directory()];

        child.close();
        for (maps, vmas) in opened.iter().zip(walks) {
            assert_eq!(vmas.map(Result::unwrap).count(), want.len() - 1);
            assert_eq!(walk(maps).unwrap(), want);
            for (question, answer) in ask_all(maps) {
                assert!(
                    answer.is_ok(),
                    "{:?} {question}: {answer:?}",
                    maps.backend()
                );
            }
        }
        // A caller that has only the directory is denied the open.
        for (directory, keep) in held.into_iter().zip([true, false]) {
            let late = OpenOptions::new().directory(keep).open_dir(directory);
            assert!(matches!(late, Err(Error::Denied(_))), "{late:?}");
        }
        for keep in [true, false] {
            let late = OpenOptions::new().directory(keep).open(pid);
            assert!(matches!(late, Err(Error::Denied(_))), "{late:?}");
        }
    });
}

#[test]
fn without_descriptors_nothing_opens_and_what_is_open_answers() {
    alone(
        "without_descriptors_nothing_opens_and_what_is_open_answers",
        || {
            let child = Child::spawn();
            let pid = child.pid();
            let want = text(pid);
            let opened: Vec<ProcMaps> = backends().into_iter().map(|it| open(pid, it)).collect();
            for (directory, needs) in [(true, 2), (false, 1)] {
                let options = OpenOptions::new().directory(directory);
                for room in 0..needs {
                    let refused = with_room_for(room, || options.open(pid));
                    assert!(is_emfile(&refused), "{refused:?}");
                    // With one free descriptor, the directory can be opened but the maps
                    // file cannot.
                    let file = if room + 1 == needs { "/maps" } else { "" };
                    let said = format!("open /proc/{pid}{file}: Too many open files (os error 24)");
                    assert_eq!(refused.unwrap_err().to_string(), said);
                    let refused = with_room_for(room, || options.open_self());
                    assert!(is_emfile(&refused), "{refused:?}");
                }
                with_room_for(needs, || options.open(pid)).unwrap();
            }
            for maps in &opened {
                assert_eq!(with_room_for(0, || walk(maps)).unwrap(), want);
                with_room_for(0, || maps.snapshot()).unwrap();
            }
        },
    );
}

#[test]
fn facts_missed_without_descriptors_are_read_later() {
    alone("facts_missed_without_descriptors_are_read_later", || {
        let child = Child::spawn();
        let maps = ProcMaps::open(child.pid()).unwrap();
        let want = text(child.pid());
        let last = Query::covering(AbsAddr(want.last().unwrap().start));
        // The [vsyscall] page, while no text can be opened.
        let found = with_room_for(0, || maps.query(last)).unwrap();
        assert_eq!(found, maps.query(last).unwrap());
        assert!(found.is_some());

        // Whether the kernel supports the ioctl, while it cannot be probed.
        let null = || OpenOptions::new().from_fd(File::open("/dev/null").unwrap().into());
        let unknown = null();
        let said = with_room_for(0, || unknown.query(FIRST));
        assert!(said.is_err(), "{said:?}");
        let by = if ioctl_answers() {
            Backend::Ioctl
        } else {
            Backend::Text
        };
        let after = ProcMaps::open(child.pid()).unwrap();
        assert_eq!(walk(&after).unwrap(), want);
        assert_eq!(after.backend(), by);
        if ioctl_answers() {
            let said = null().query(FIRST);
            assert!(matches!(said, Err(Error::NotMaps)), "{said:?}");
        }
    });
}
