//! Maps files passed to other users and processes, also by faulty peers.

mod common;

use std::fs::{self, File};
use std::io::{IoSlice, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::Stdio;
use std::time::Duration;

use common::{FIRST, again, alone, ask_all, backends, ioctl_answers, walk, with_room_for};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg, setsockopt, sockopt::PassCred};
use testkit::child::Child;
use testkit::maps::{self, Line};
use testkit::user::unprivileged;
use testkit::{is_root, naive, skip};
use vma_query::{Backend, Error, OpenOptions, ProcMaps, Result};

fn text(pid: u32) -> Vec<Line> {
    naive::lines(&naive::text_of(pid).unwrap()).collect()
}

#[test]
fn a_received_maps_file_answers_without_access_to_the_process() {
    let mut child = Child::spawn();
    child.map("/proc/self/exe", "r-xp");
    child.anon("rwxp", 0x3000);
    let want = text(child.pid());
    let opened = ProcMaps::open(child.pid()).unwrap();
    let alone = OpenOptions::new()
        .directory(false)
        .open(child.pid())
        .unwrap();
    child.close();
    for backend in backends() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        for maps in [&opened, &alone] {
            maps.send_over(&ours).unwrap();
        }
        unprivileged(|| {
            let refused = ProcMaps::open(child.pid());
            assert!(matches!(refused, Err(Error::Denied(_))), "{refused:?}");
            for _ in 0..2 {
                let options = OpenOptions::new().backend(backend);
                let handed = options.receive_from(&theirs).unwrap();
                assert_eq!(walk(&handed).unwrap(), want, "{backend:?}");
                assert!(handed.directory().is_none());
                let flags = fcntl(handed.as_fd(), FcntlArg::F_GETFD).unwrap();
                assert_eq!(flags, FdFlag::FD_CLOEXEC.bits(), "closed on exec");
            }
        });
    }
}

const TEST: &str = "another_process_of_another_user_asks_too";

/// Runs itself again with a socket as standard input, as another user if possible. The
/// second process sends back the text of the maps file that it received.
#[test]
fn another_process_of_another_user_asks_too() {
    const RECEIVER: &str = "VMA_QUERY_RECEIVER";
    if std::env::var_os(RECEIVER).is_some() {
        let socket = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
        let mut socket = UnixStream::from(socket);
        return unprivileged(|| {
            let handed = ProcMaps::receive_from(&socket).unwrap();
            let text = maps::text(&walk(&handed).unwrap());
            socket.write_all(&text).unwrap();
            socket.shutdown(Shutdown::Both).unwrap();
        });
    }
    let child = Child::spawn();
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let mut receiver = again(TEST);
    receiver
        .env(RECEIVER, "1")
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null());
    let mut receiver = receiver.spawn().unwrap();
    ProcMaps::open(child.pid())
        .unwrap()
        .send_over(&ours)
        .unwrap();
    let mut got = Vec::new();
    ours.set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    ours.read_to_end(&mut got).unwrap();
    assert!(receiver.wait().unwrap().success());
    assert_eq!(got, maps::text(&text(child.pid())));
}

#[test]
fn a_process_without_its_first_thread_is_handed_over_too() {
    let mut child = Child::spawn();
    child.end_leader();
    // Start times count in hundredths of a second.
    std::thread::sleep(Duration::from_millis(50));
    let (ours, theirs) = UnixStream::pair().unwrap();
    ProcMaps::open(child.pid())
        .unwrap()
        .send_over(&ours)
        .unwrap();
    let handed = ProcMaps::receive_from(&theirs).unwrap();
    assert!(handed.query(FIRST).unwrap().is_some());
}

#[test]
fn useless_maps_files_are_not_sent() {
    let mut child = Child::spawn();
    let maps = ProcMaps::open(child.pid()).unwrap();
    let (ours, theirs) = UnixStream::pair().unwrap();
    maps.send_over(&ours).unwrap();
    maps.send_over(&ours).unwrap();
    let early = ProcMaps::receive_from(&theirs).unwrap();
    child.kill();
    let sent = maps.send_over(&ours);
    assert!(matches!(sent, Err(Error::ProcessGone)), "{sent:?}");
    // A file that was sent before the process ended arrives, and reports the end.
    let late = ProcMaps::receive_from(&theirs).unwrap();
    for handed in [early, late] {
        for (question, answer) in ask_all(&handed) {
            let gone = matches!(answer, Err(Error::ProcessGone));
            assert!(gone, "{question}: {answer:?}");
        }
    }
    let null = OpenOptions::new().from_fd(File::open("/dev/null").unwrap().into());
    assert!(null.send_over(&ours).is_err());
    drop(theirs);
    // A child that another test forks has the descriptor too, until it calls exec.
    let mut tries = 0;
    let sent = loop {
        match ProcMaps::open_self().unwrap().send_over(&ours) {
            Ok(()) if tries < 100 => std::thread::sleep(Duration::from_millis(10)),
            sent => break sent,
        }
        tries += 1;
    };
    assert!(matches!(sent, Err(Error::PeerClosed)), "{sent:?}");
    let file = tempfile::tempfile().unwrap();
    let sent = ProcMaps::open_self().unwrap().send_over(&file);
    assert!(is_io(&sent, Errno::ENOTSOCK), "{sent:?}");
}

fn is_io<T>(result: &Result<T>, errno: Errno) -> bool {
    matches!(result, Err(Error::Io(why)) if why.error().raw_os_error() == Some(errno as i32))
}

/// Sends any bytes with any descriptors, as a faulty peer does.
fn send(socket: &impl AsFd, bytes: &[u8], files: &[OwnedFd]) {
    let numbers: Vec<RawFd> = files.iter().map(AsRawFd::as_raw_fd).collect();
    let with = [ControlMessage::ScmRights(&numbers)];
    let with = if files.is_empty() { &[][..] } else { &with };
    let socket = socket.as_fd().as_raw_fd();
    sendmsg::<()>(
        socket,
        &[IoSlice::new(bytes)],
        with,
        MsgFlags::empty(),
        None,
    )
    .unwrap();
}

fn file(path: &str) -> OwnedFd {
    File::open(path).unwrap().into()
}

/// What a faulty peer sends, and the receiver's error.
type BadPeer = (&'static str, Vec<OwnedFd>, fn(&Error) -> bool);

fn bad_peers() -> Vec<BadPeer> {
    let not_passed: fn(&Error) -> bool = |why| matches!(why, Error::NotPassed { .. });
    let not_maps: fn(&Error) -> bool = |why| matches!(why, Error::NotMaps);
    let dir = tempfile::tempdir().unwrap();
    let lies = dir.path().join("maps");
    fs::write(&lies, fs::read("/proc/self/maps").unwrap()).unwrap();
    let maps = || file("/proc/self/maps");
    vec![
        ("nothing", vec![], not_passed),
        ("two files", vec![maps(), maps()], not_passed),
        (
            "as many as fit",
            (0..253).map(|_| maps()).collect(),
            not_passed,
        ),
        ("a device", vec![file("/dev/null")], not_maps),
        ("a pipe", vec![nix::unistd::pipe().unwrap().0], not_maps),
        (
            "a socket",
            vec![UnixStream::pair().unwrap().0.into()],
            not_maps,
        ),
        ("a folder of /proc", vec![file("/proc/self")], not_maps),
        (
            "another file of /proc",
            vec![file("/proc/self/status")],
            not_maps,
        ),
        ("one much like it", vec![file("/proc/self/smaps")], not_maps),
        (
            "a saved text called maps",
            vec![File::open(lies).unwrap().into()],
            not_maps,
        ),
    ]
}

#[test]
fn bad_peers_are_told_apart_and_leave_nothing_open() {
    alone("bad_peers_are_told_apart_and_leave_nothing_open", || {
        let peers = bad_peers();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let open_before = open_files();
        for (what, files, wanted) in &peers {
            send(&ours, b"?", files);
            let said = ProcMaps::receive_from(&theirs).map(drop);
            assert!(said.as_ref().is_err_and(wanted), "{what}: {said:?}");
            assert_eq!(open_files(), open_before, "{what}");
        }
        // Nothing of the faulty messages is left: a correct one is accepted.
        ProcMaps::open_self().unwrap().send_over(&ours).unwrap();
        ProcMaps::receive_from(&theirs).unwrap();
        drop(ours);
        for _ in 0..2 {
            let said = ProcMaps::receive_from(&theirs);
            assert!(matches!(said, Err(Error::PeerClosed)), "{said:?}");
        }
    });
}

fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn cut_off_descriptors_are_closed_and_said() {
    alone("cut_off_descriptors_are_closed_and_said", || {
        let child = Child::spawn();
        let maps = ProcMaps::open(child.pid()).unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let many: Vec<OwnedFd> = (0..5).map(|_| file("/proc/self/maps")).collect();
        let before = open_files();
        for room in [4, 1, 0] {
            send(&ours, b"?", &many);
            let said = with_room_for(room, || ProcMaps::receive_from(&theirs));
            match room {
                0 => assert!(is_io(&said, Errno::EMFILE), "{said:?}"),
                _ => assert!(matches!(said, Err(Error::NotPassed { .. })), "{said:?}"),
            }
            assert_eq!(open_files(), before, "room for {room}");
        }
        maps.send_over(&ours).unwrap();
        let said = with_room_for(0, || ProcMaps::receive_from(&theirs));
        assert!(is_io(&said, Errno::EMFILE), "{said:?}");
        maps.send_over(&ours).unwrap();
        with_room_for(1, || ProcMaps::receive_from(&theirs)).unwrap();
    });
}

#[test]
fn sockets_of_all_kinds_serve() {
    let maps = ProcMaps::open_self().unwrap();
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    maps.send_over(&ours).unwrap();
    ProcMaps::receive_from(&theirs).unwrap();

    // With credentials, which precede the descriptor.
    let (ours, theirs) = UnixStream::pair().unwrap();
    setsockopt(&theirs, PassCred, &true).unwrap();
    maps.send_over(&ours).unwrap();
    ProcMaps::receive_from(&theirs).unwrap();

    theirs.set_nonblocking(true).unwrap();
    let said = ProcMaps::receive_from(&theirs);
    assert!(is_io(&said, Errno::EAGAIN), "{said:?}");
    let file = tempfile::tempfile().unwrap();
    let said = ProcMaps::receive_from(&file);
    assert!(is_io(&said, Errno::ENOTSOCK), "{said:?}");
}

#[test]
fn a_sandbox_without_proc_receives_and_asks() {
    if !is_root() {
        return skip("only root changes its root directory");
    }
    alone("a_sandbox_without_proc_receives_and_asks", || {
        let by = if ioctl_answers() {
            Backend::Ioctl
        } else {
            Backend::Text
        };
        let child = Child::spawn();
        let want = text(child.pid());
        let maps = ProcMaps::open(child.pid()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        maps.send_over(&ours).unwrap();
        send(&ours, b"?", &[file("/proc/self/status")]);
        for _ in 0..2 {
            maps.send_over(&ours).unwrap();
        }
        nix::unistd::chroot(dir.path()).unwrap();
        let handed = ProcMaps::receive_from(&theirs).unwrap();
        assert_eq!(walk(&handed).unwrap(), want);
        let wrong = ProcMaps::receive_from(&theirs);
        assert!(wrong.is_err(), "{wrong:?}");
        // Whether the kernel supports the ioctl could not be probed here; the earlier
        // result is kept.
        let again = ProcMaps::receive_from(&theirs).unwrap();
        assert_eq!(walk(&again).unwrap(), want);
        assert_eq!(again.backend(), by);
    });
}
