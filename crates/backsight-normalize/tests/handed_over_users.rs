//! A process of one user hands itself to a process of another user, which may not open it.

use std::fmt::Write as _;
use std::fs::{self, File, Permissions};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use backsight_normalize::{AbsAddr, Error, Module, Options, Session};
use nix::sys::prctl::set_dumpable;
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use testkit::child::KillOnDrop;
use testkit::kernel::{Ioctl, ioctl};
use testkit::user::is_root;
use testkit::{naive, skip};
use vma_query::{Backend, OpenOptions, ProcMaps};

const TEST: &str = "a_process_hands_itself_to_another_user";
/// What this program is, when it runs itself.
const ROLE: &str = "BACKSIGHT_HAND_OVER_ROLE";
const TARGET: &str = "BACKSIGHT_HAND_OVER_TARGET";

/// Two users who are not root.
const USERS: [u32; 2] = [65_532, 65_533];

/// Before each line of the agent, as libtest prints some, too.
const MARK: &str = "@ ";

fn become_user(user: u32) {
    setgroups(&[]).unwrap();
    let (group, user) = (Gid::from_raw(user), Uid::from_raw(user));
    setresgid(group, group, group).unwrap();
    setresuid(user, user, user).unwrap();
    // As after an `execve`. Otherwise its files in /proc are root's.
    set_dumpable(true).unwrap();
}

fn socket_of_stdin() -> UnixStream {
    let socket = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    socket.into()
}

fn backends() -> Vec<Backend> {
    match ioctl() {
        Ioctl::Answers => vec![Backend::Ioctl, Backend::Text],
        Ioctl::Refused(_) => vec![Backend::Text],
    }
}

/// Sends itself as often as the agent receives, and waits for the end.
fn target() {
    become_user(USERS[0]);
    let mut socket = socket_of_stdin();
    for _ in backends() {
        let maps = ProcMaps::open_self().unwrap();
        maps.send_over(&socket).unwrap();
        maps.send_with_root(&socket, File::open("/").unwrap())
            .unwrap();
    }
    socket.read_to_end(&mut Vec::new()).unwrap();
}

/// Receives, and prints all answers.
fn agent() {
    become_user(USERS[1]);
    let pid: u32 = std::env::var(TARGET).unwrap().parse().unwrap();
    let refused = Session::open(pid, Options::default()).map(drop);
    assert!(matches!(refused, Err(Error::Denied(_))), "{refused:?}");
    let socket = socket_of_stdin();
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    for backend in backends() {
        for has_root in [false, true] {
            let options = OpenOptions::new().backend(backend);
            let (maps, root) = options.receive_with_root(&socket).unwrap();
            assert_eq!(root.is_some(), has_root);
            let addrs = addresses(&maps);
            let mut session = Session::new(maps, Options::default());
            if let Some(root) = root {
                session = session.with_root(root);
            }
            for line in answers(&mut session, &addrs).lines() {
                println!("{MARK}{backend:?} {has_root} {line}");
            }
        }
    }
}

/// Returns addresses in and around each VMA.
fn addresses(maps: &ProcMaps) -> Vec<AbsAddr> {
    let vmas = maps.vmas();
    let mut addrs = vec![AbsAddr(0), AbsAddr(1 << 46)];
    for vma in vmas {
        let vma = vma.unwrap();
        let (start, end) = (vma.start.0, vma.end.0);
        let around = [start - 1, start, start + (end - start) / 2, end - 1, end];
        addrs.extend(around.map(AbsAddr));
    }
    addrs
}

/// Returns a line for each address, and one for each module.
fn answers(session: &mut Session, addrs: &[AbsAddr]) -> String {
    let mut outcomes = Vec::new();
    session.normalize(addrs, &mut outcomes).unwrap();
    let mut text = String::new();
    for (addr, outcome) in addrs.iter().zip(&outcomes) {
        writeln!(text, "{addr} {outcome:?}").unwrap();
    }
    for found in session.modules() {
        let module = &found.module;
        let Module {
            path,
            device,
            inode,
            ..
        } = module;
        let path = String::from_utf8_lossy(path);
        let (id, segments) = (module.build_id, module.segments.is_some());
        writeln!(
            text,
            "module\t{path}\t{device:?}\t{inode}\t{id:?}\t{segments}"
        )
        .unwrap();
    }
    text
}

fn again(role: &str, socket: UnixStream) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([TEST, "--exact", "--nocapture"])
        .env(ROLE, role)
        .stdin(OwnedFd::from(socket));
    command
}

#[test]
fn a_process_hands_itself_to_another_user() {
    match std::env::var(ROLE).as_deref() {
        Ok("target") => return target(),
        Ok(_) => return agent(),
        Err(_) => {}
    }
    if !is_root() {
        return skip("only root can be two other users");
    }
    let (theirs, ours) = UnixStream::pair().unwrap();
    let target = again("target", theirs).stdout(Stdio::null()).spawn();
    let target = KillOnDrop(target.unwrap());
    // The agent keeps the other end open, and with it the target alive.
    let mut agent = again("agent", ours.try_clone().unwrap());
    let ran = agent
        .env(TARGET, target.pid().to_string())
        .output()
        .unwrap();
    let text = String::from_utf8(ran.stdout).unwrap();
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{text}{errors}");

    let lines: Vec<&str> = text
        .lines()
        .filter_map(|it| it.split_once(MARK))
        .map(|it| it.1)
        .collect();
    let of = |backend: Backend, has_root: bool| {
        let start = format!("{backend:?} {has_root} ");
        let lines = lines
            .iter()
            .filter_map(move |line| line.strip_prefix(&start));
        lines.map(str::to_owned).collect::<Vec<String>>()
    };
    let is_module = |line: &&String| line.starts_with("module\t");
    for backend in backends() {
        let [alone, with_root] = [false, true].map(|has_root| of(backend, has_root));
        let addrs = alone.iter().filter(|line| !is_module(line));
        let addrs = addrs.map(|line| line.split(' ').next().unwrap().parse().unwrap());
        let addrs: Vec<AbsAddr> = addrs.collect();
        assert!(addrs.len() > 50, "{text}");
        // What root gets, who may open everything.
        let options = Options::default().with_backend(backend);
        let mut own = Session::open(target.pid(), options).unwrap();
        let want = answers(&mut own, &addrs);
        let want: Vec<&str> = want.lines().collect();
        for (got, has_root) in [(&alone, false), (&with_root, true)] {
            assert_eq!(got.len(), want.len(), "{backend:?} {has_root}");
            for (got, want) in got.iter().zip(&want) {
                if !got.starts_with("module\t") {
                    assert_eq!(got, want, "{backend:?} {has_root}");
                    continue;
                }
                // Path, device and inode, always.
                let words = |line: &str| line.split('\t').map(str::to_owned).collect::<Vec<_>>();
                let (got, want) = (words(got), words(want));
                let is_vdso = got[1] == "[vdso]";
                let fixed = got.len() - 2;
                assert_eq!(got[..fixed], want[..fixed], "{backend:?} {has_root}");
                let (id, segments) = (&got[fixed], &got[fixed + 1]);
                // The image of the vDSO is in the memory of the process.
                if is_vdso {
                    continue;
                }
                match backend {
                    // The kernel reads them, with or without the root.
                    Backend::Ioctl => assert_eq!(*id, want[fixed], "{has_root}: {got:?}"),
                    _ if !has_root => assert_eq!(id, "None", "{got:?}"),
                    _ => {}
                }
                assert!(has_root || segments == "false", "{got:?}");
                let is_libc = got[1].contains("/libc.so");
                if is_libc && has_root && (backend == Backend::Ioctl || is_on_its_device(&got[1])) {
                    assert_eq!(segments, "true", "{backend:?}: {got:?}");
                    assert_eq!(*id, want[fixed], "{backend:?}: {got:?}");
                }
            }
        }
    }
    drop(ours);
}

/// Whether `stat` and the maps text agree on the device of a file, as on most file systems.
fn is_on_its_device(path: &str) -> bool {
    let text = naive::text_of(std::process::id()).unwrap();
    let device = fs::metadata(path).unwrap().dev();
    let (major, minor) = (nix::sys::stat::major(device), nix::sys::stat::minor(device));
    let mut lines = naive::lines(&text);
    let line = lines.find(|line| line.name == path.as_bytes());
    line.is_some_and(|line| (u64::from(line.major), u64::from(line.minor)) == (major, minor))
}

/// Returns an example that was built with the tests.
fn example(name: &str) -> Option<PathBuf> {
    let tests = std::env::current_exe().unwrap();
    let path = tests.parent()?.parent()?.join("examples").join(name);
    path.is_file().then_some(path)
}

#[test]
fn the_example_serves_a_process_of_another_user() {
    let Some(program) = example("hand_over") else {
        return skip("the example hand_over is not built");
    };
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    let copy = dir.path().join("hand_over");
    testkit::copy(program, &copy).unwrap();
    let (public, socket) = (dir.path().join("public"), dir.path().join("public/socket"));
    fs::create_dir(&public).unwrap();
    let start = |role: &str, user: u32| {
        let mut command = Command::new(&copy);
        command.arg(role).arg(&socket).stdout(Stdio::piped());
        if is_root() {
            command.uid(user).gid(user);
        }
        KillOnDrop(command.spawn().unwrap())
    };
    match is_root() {
        true => chown(&public, Some(USERS[1]), Some(USERS[1])).unwrap(),
        false => skip("the same user for both: only root can be two others"),
    }
    let mut agent = start("agent", USERS[1]);
    // The agent makes it open to all after it has bound it.
    while !fs::metadata(&socket).is_ok_and(|it| it.mode() & 0o666 == 0o666) {
        assert!(agent.0.try_wait().unwrap().is_none(), "the agent ended");
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut target = start("target", USERS[0]);
    let mut said = String::new();
    agent
        .0
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert!(agent.0.wait().unwrap().success(), "{said}");
    assert!(target.0.wait().unwrap().success(), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    for line in &lines[..2] {
        assert!(line.contains(&format!(" {} ", copy.display())), "{said}");
        // It was found in the root that was handed over: program headers tell the offset.
        assert!(line.contains("Some(VirtOffset("), "{said}");
    }
    assert!(lines[2].ends_with("Unresolved(Unmapped)"), "{said}");
    std::io::stderr().flush().unwrap();
}
