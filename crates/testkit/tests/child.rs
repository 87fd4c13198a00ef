//! Children have the requested memory map, according to the naive oracle.

use std::ops::Range;

use testkit::child::Child;
use testkit::maps::Line;
use testkit::{naive, skip};

fn lines(child: &Child) -> Vec<Line> {
    naive::lines(&naive::text_of(child.pid()).unwrap()).collect()
}

fn line_at(child: &Child, address: u64) -> Option<Line> {
    let covers = |line: &Line| (line.start..line.end).contains(&address);
    lines(child).into_iter().find(covers)
}

/// Returns permissions, offset and name of the line at the start of the range.
fn look(child: &Child, range: &Range<u64>) -> (String, u64, String) {
    let line = line_at(child, range.start).expect("a line");
    let perms = line.perms.map(char::from).iter().collect();
    let name = String::from_utf8(line.name).unwrap();
    (perms, line.offset, name)
}

#[test]
fn files_are_mapped_as_asked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a name\nof two lines");
    std::fs::write(&path, vec![7; 0x3001]).unwrap();
    let mut child = Child::spawn();

    let whole = child.map(&path, "r-xp");
    let (perms, offset, name) = look(&child, &whole);
    assert_eq!((perms.as_str(), offset), ("r-xp", 0));
    assert_eq!(name, path.to_str().unwrap());
    assert_eq!((whole.end - whole.start) % 0x1000, 0);
    assert!(whole.end - whole.start >= 0x3001);

    let page = page_size();
    let part = child.map_part(&path, "rw-s", page..2 * page);
    let (perms, offset, _) = look(&child, &part);
    assert_eq!((perms.as_str(), offset), ("rw-s", page));

    let over = child.map_at(whole.start, &path, "r--p", 0..page);
    assert_eq!(over.start, whole.start);
    assert_eq!(look(&child, &whole).0, "r--p");

    std::fs::remove_file(&path).unwrap();
    assert!(look(&child, &part).2.ends_with(" (deleted)"));
    child.unmap(part.clone());
    assert_eq!(line_at(&child, part.start), None);
}

#[test]
fn memory_without_a_path_is_made_and_changed() {
    let mut child = Child::spawn();
    let jit = child.anon("rwxp", 0x4000);
    assert_eq!(look(&child, &jit), ("rwxp".into(), 0, String::new()));
    child.protect(&jit, "r--p");
    assert_eq!(look(&child, &jit).0, "r--p");

    let memfd = child.memfd("code of mine", "r-xp", "/proc/self/exe");
    assert_eq!(look(&child, &memfd).2, "/memfd:code of mine (deleted)");
    let shared = child.anon("r-xs", 0x1000);
    assert_eq!(look(&child, &shared).2, "/dev/zero (deleted)");
    let sysv = child.sysv("r-xs", 0x1000);
    assert_eq!(look(&child, &sysv).2, "/SYSV00000000 (deleted)");
    let heap = child.heap(0x1000);
    assert_eq!(look(&child, &heap).2, "[heap]");
    let stack = child.stack();
    assert_eq!(look(&child, &stack).2, "[stack]");
    let zero = child.map_part("/dev/zero", "r-xp", 0..0x1000);
    assert_eq!(look(&child, &zero).2, "/dev/zero");
}

#[test]
fn huge_pages_are_mapped_where_the_kernel_has_them() {
    let mut child = Child::spawn();
    match child.anon_huge("r-xp", 2 << 20) {
        Some(huge) => assert_eq!(look(&child, &huge).2, "/anon_hugepage (deleted)"),
        None => skip("no huge pages of 2 MiB"),
    }
}

#[test]
fn anonymous_memory_is_named_where_the_kernel_can() {
    let mut child = Child::spawn();
    let memory = child.anon("rw-p", 0x1000);
    if child.name_anon(&memory, "a pool").is_some() {
        assert_eq!(look(&child, &memory).2, "[anon:a pool]");
    }
    // This is not a skip: only some distributions enable CONFIG_ANON_VMA_NAME, and saved texts
    // cover the decoding.
}

#[test]
fn layouts_have_the_vmas_asked_for() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), vec![0; 4 << 16]).unwrap();
    let mut child = Child::spawn();
    let within = |lines: Vec<Line>, area: &Range<u64>| {
        let inside = |line: &Line| area.contains(&line.start);
        lines.into_iter().filter(inside).count()
    };
    let before = lines(&child).len();
    let layout = child.layout(file.path(), 1003);
    assert_eq!(within(lines(&child), &layout), 1003);
    let gaps = child.gaps(file.path(), 500);
    assert_eq!(within(lines(&child), &gaps), 500);
    assert!(line_at(&child, gaps.start).is_some());
    assert_eq!(line_at(&child, gaps.start + page_size()), None);
    assert!(lines(&child).len() >= before + 1503);
}

#[test]
fn a_churning_child_keeps_what_is_mapped_elsewhere() {
    let mut child = Child::spawn();
    let still = child.anon("r-xp", 0x1000);
    let area = child.churn();
    let mut texts = std::collections::HashSet::new();
    for _ in 0..1000 {
        texts.insert(naive::text_of(child.pid()).unwrap());
        if texts.len() > 2 {
            break;
        }
    }
    assert!(texts.len() > 2, "the thread does nothing");
    assert!(line_at(&child, still.start).is_some());
    assert!(!area.contains(&still.start));
}

#[test]
fn exec_makes_another_address_space_of_the_same_process() {
    let mut child = Child::spawn();
    let (pid, jit) = (child.pid(), child.anon("rwxp", 0x1000));
    child.exec_itself();
    assert_eq!(child.pid(), pid);
    // Its address is random, so no line of this kind may be left.
    assert!(lines(&child).iter().all(|line| &line.perms != b"rwxp"));
    let again = child.anon("rwxp", 0x1000);
    assert_eq!(look(&child, &again).0, "rwxp");
    child.exec_cat();
    assert!(
        lines(&child).iter().any(|line| line.name.ends_with(b"cat")),
        "{jit:x?}"
    );
}

#[test]
fn an_ended_child_is_a_zombie_and_then_gone() {
    let mut child = Child::spawn();
    child.exit();
    assert_eq!(
        naive::text_of(child.pid()).unwrap(),
        b"",
        "a zombie's text is empty"
    );
    child.kill();
    assert!(naive::text_of(child.pid()).is_err());
}

#[test]
fn a_fork_has_the_same_memory_and_ends_with_its_parent() {
    let mut child = Child::spawn();
    let jit = child.anon("rwxp", 0x1000);
    let fork = child.fork();
    let text = String::from_utf8(naive::text_of(fork).unwrap()).unwrap();
    assert!(text.contains(&format!("{:x}-{:x} rwxp", jit.start, jit.end)));
    drop(child);
    let stat = format!("/proc/{fork}/stat");
    while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
        std::thread::yield_now();
    }
}

#[test]
fn a_process_lives_on_without_its_first_thread() {
    let mut child = Child::spawn();
    child.end_leader();
    assert_eq!(naive::text_of(child.pid()).unwrap(), b"");
    child.anon("rwxp", 0x1000);
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_32_bit_child_has_short_addresses() {
    let Some(child) = testkit::child::spawn_32_bit() else {
        return skip("cc -m32 makes nothing that runs here");
    };
    let text = naive::text_of(child.pid()).unwrap();
    assert!(naive::lines(&text).all(|line| line.end <= 1 << 32));
    assert!(naive::lines(&text).any(|line| line.name == b"[vdso]"));
}

#[test]
fn root_starts_children_of_other_users() {
    use std::os::unix::fs::MetadataExt;
    if !testkit::is_root() {
        return skip("only root may change the user");
    }
    let child = Child::spawn_as(65534);
    let owner = std::fs::metadata(format!("/proc/{}/maps", child.pid())).unwrap();
    assert_eq!(owner.uid(), 65534);
    let seen = testkit::user::unprivileged(|| naive::text_of(child.pid()).map(|text| text.len()));
    assert!(seen.unwrap() > 0);
}

#[test]
fn root_s_children_are_closed_to_others() {
    if !testkit::is_root() {
        return skip("an ordinary user's children are its own");
    }
    let child = Child::spawn();
    let seen = testkit::user::unprivileged(|| naive::text_of(child.pid()));
    let kind = seen.expect_err("root's memory map").kind();
    assert_eq!(kind, std::io::ErrorKind::PermissionDenied);
}

fn page_size() -> u64 {
    nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE)
        .unwrap()
        .and_then(|size| u64::try_from(size).ok())
        .unwrap()
}
