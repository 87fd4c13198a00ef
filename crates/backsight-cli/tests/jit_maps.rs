//! Lists of names of code that was made at run time, as anybody may leave them in `/tmp`:
//! whose are read, what in them counts, and what they may not do.

mod common;

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use common::{json, run};
use serde_json::Value;
use tempfile::TempDir;
use testkit::jitdump::JitdumpFile;
use testkit::perf_file::{Event, PerfFile, USER, sample};
use testkit::skip;
use testkit::user::is_root;

const USER_MARK: u64 = -512_i64 as u64;
/// No process of this machine: numbers end below.
const PID: u32 = 4_194_304 + 77;
const CODE: u64 = 0x7f00_0000_0000;

/// A recording of a process that made code, with one sample in it; in a directory of its own.
struct Recorded {
    dir: TempDir,
}

impl Recorded {
    /// With a time at which the process began, if that is in the recording.
    fn new(began_ns: Option<u64>) -> Self {
        Self::of(began_ns, false)
    }

    /// Of a process that mapped its jitdump.
    fn with_dump() -> Self {
        Self::of(None, true)
    }

    fn of(began_ns: Option<u64>, has_dump: bool) -> Self {
        use sample::{CALLCHAIN, IDENTIFIER, IP, PERIOD, TID, TIME};
        let event = Event {
            name: "cpu-clock",
            period: 1000,
            sample_type: IDENTIFIER | IP | TID | TIME | PERIOD | CALLCHAIN,
            ids: vec![1],
            ..Event::default()
        };
        let mut file = PerfFile::new(false, &[event]);
        if let Some(time) = began_ns {
            // A fork: process, parent, threads of both, time.
            file.record(7, 0, |at| {
                at.u32(PID).u32(1).u32(PID).u32(1).words(&[time]);
                at.trailer(PID, PID, time, 1);
            });
        }
        file.comm(PID, PID, "maker", 1);
        if has_dump {
            let path = format!("/nowhere/jit-{PID}.dump");
            file.record(1, USER, |at| {
                at.u32(PID).u32(PID).words(&[CODE - 0x1000, 0x1000, 0]);
                at.text(&path).trailer(PID, PID, 150, 1);
            });
        }
        file.record(1, USER, |at| {
            at.u32(PID)
                .u32(PID)
                .words(&[CODE, 0x1000, 0])
                .text("//anon");
            at.trailer(PID, PID, 200, 1);
        });
        file.record(9, USER, |at| {
            at.words(&[1, CODE + 0x18])
                .u32(PID)
                .u32(PID)
                .words(&[500, 1000]);
            at.words(&[2, USER_MARK, CODE + 0x18]);
        });
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("perf.data"), file.file()).unwrap();
        Self { dir }
    }

    fn dump(&self) -> PathBuf {
        self.dir.path().join(format!("jit-{PID}.dump"))
    }

    /// Returns the account as text.
    fn account(&self) -> String {
        let data = self.dir.path().join("perf.data");
        let data = data.to_str().unwrap();
        let ran = run([
            "convert",
            "--account",
            "always",
            data,
            "-",
            "--to",
            "folded",
        ]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.stderr
    }

    fn map(&self) -> PathBuf {
        self.dir.path().join(format!("perf-{PID}.map"))
    }

    /// Returns the name of the sample's function, and what is said of the list.
    fn converted(&self, args: &[&str]) -> (String, Value) {
        let data = self.dir.path().join("perf.data");
        let ran = run([
            &["convert", "--account", "json", "--lead", "none"],
            args,
            &["-i", data.to_str().unwrap(), "-o", "-", "--to", "folded"],
        ]
        .concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let account = &json(&ran.stderr)[0];
        let name = ran.stdout.trim().rsplit_once(' ').unwrap().0.to_owned();
        (name, account["jit_maps"][0].clone())
    }
}

/// Tests run side by side: while this is held, nobody else has a list in `/tmp`.
static TMP: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    TMP.lock().unwrap_or_else(PoisonError::into_inner)
}

fn nameless() -> String {
    format!("perf-{PID}.map [anonymous]")
}

#[test]
fn the_last_entry_counts_and_lines_that_are_none_are_counted() {
    let _alone = alone();
    let recorded = Recorded::new(None);
    let whole = format!(
        "{CODE:x} 40 first\n{CODE:x} 20 second, with spaces;\n\nno entry\n{CODE:x} 0 empty\n\
         ffffffffffffffff 2 over the end\n0 10000000000 everything\n{:x} 8 beside",
        CODE + 0x20
    );
    fs::write(recorded.map(), whole).unwrap();
    let (name, said) = recorded.converted(&[]);
    assert_eq!(name, "second, with spaces\\x3b");
    assert_eq!(
        (&said["names"], &said["malformed"]),
        (&3.into(), &5.into()),
        "{said}"
    );
    assert_eq!(said["path"], recorded.map().to_str().unwrap());
    let (name, said) = recorded.converted(&["--jit-maps", "none"]);
    assert_eq!((name, said), (nameless(), Value::Null));
}

#[test]
fn a_list_that_is_cut_is_said_to_be_with_advice_that_fits() {
    let _alone = alone();
    let recorded = Recorded::with_dump();
    let mut file = JitdumpFile::new(false);
    file.load(1, CODE + 0x100, 0x40, "other");
    let before = file.bytes.bytes.len();
    file.load(2, CODE, 0x40, "wanted");
    let whole = &file.bytes.bytes;
    for cut in before + 1..whole.len() {
        fs::write(recorded.dump(), &whole[..cut]).unwrap();
        let (name, said) = recorded.converted(&[]);
        assert_eq!(name, nameless(), "{cut}");
        assert_eq!(
            (&said["names"], &said["end"], &said["limit_reached"]),
            (&1.into(), &"in-record".into(), &false.into()),
            "{cut}: {said}"
        );
    }
    let account = recorded.account();
    let dump = recorded.dump();
    let dump = dump.display();
    for said in [
        format!("{dump}: 1 names, and then the file ends within a record"),
        format!("the rest of {dump}"),
    ] {
        assert!(account.contains(&said), "{said:?} in {account}");
    }
    for wrong in ["limit", "--perf-basic-prof"] {
        assert!(!account.contains(wrong), "{account}");
    }
    // A record of an impossible size.
    fs::write(
        recorded.dump(),
        [&whole[..before], &[0, 0, 0, 0, 15, 0, 0, 0], &[0; 8]].concat(),
    )
    .unwrap();
    assert_eq!(recorded.converted(&[]).1["end"], "damaged");
    let account = recorded.account();
    assert!(
        account.contains("a record without a valid size"),
        "{account}"
    );
    assert!(!account.contains("--perf-basic-prof"), "{account}");
    // Whole, it has no name for other code: a list that was read need not be written.
    fs::write(recorded.dump(), &whole[..before]).unwrap();
    assert_eq!(recorded.converted(&[]).1["end"], "whole");
    let account = recorded.account();
    assert!(account.contains(&format!("a name in {dump}")), "{account}");
    fs::write(recorded.dump(), whole).unwrap();
    assert_eq!(recorded.converted(&[]).0, "wanted");
    fs::remove_file(recorded.dump()).unwrap();

    // A map ends within a line: a name may be incomplete.
    let recorded = Recorded::new(None);
    fs::write(recorded.map(), format!("{CODE:x} 40 wan")).unwrap();
    let (name, said) = recorded.converted(&[]);
    assert_eq!((&*name, &said["end"]), ("wan", &"in-line".into()));
    let account = recorded.account();
    assert!(account.contains("the last may be incomplete"), "{account}");
    fs::write(recorded.map(), format!("{CODE:x} 40 wanted\n")).unwrap();
    assert_eq!(recorded.converted(&[]).1["end"], "whole");
}

#[test]
fn only_regular_files_are_opened() {
    let _alone = alone();
    let recorded = Recorded::new(None);
    let other = recorded.dir.path().join("other");
    fs::write(&other, format!("{CODE:x} 40 stolen\n")).unwrap();
    symlink(&other, recorded.map()).unwrap();
    let (name, said) = recorded.converted(&[]);
    assert_eq!(
        (name, &said["refused"]),
        (nameless(), &"not a regular file but a symbolic link".into())
    );
    fs::remove_file(recorded.map()).unwrap();
    // Opened, it would wait for ever.
    let fifo = Command::new("mkfifo").arg(recorded.map()).status().unwrap();
    assert!(fifo.success());
    let (name, said) = recorded.converted(&[]);
    assert_eq!(
        (name, &said["refused"]),
        (nameless(), &"not a regular file but a FIFO".into())
    );
    fs::remove_file(recorded.map()).unwrap();
    fs::create_dir(recorded.map()).unwrap();
    let (_, said) = recorded.converted(&[]);
    assert_eq!(said["refused"], "not a regular file but a directory");
}

#[test]
fn a_list_of_another_user_is_taken_when_that_is_asked_for() {
    if !is_root() {
        return skip("a file can be given to another user by root alone");
    }
    let _alone = alone();
    let recorded = Recorded::new(None);
    fs::write(recorded.map(), format!("{CODE:x} 40 theirs\n")).unwrap();
    chown(recorded.map(), Some(12_345), None).unwrap();
    let (name, said) = recorded.converted(&[]);
    assert_eq!(
        (name, &said["refused"]),
        (nameless(), &"it is of user 12345".into())
    );
    let (name, said) = recorded.converted(&["--jit-maps", "all"]);
    assert_eq!((&*name, &said["names"]), ("theirs", &1.into()));
}

#[test]
fn a_file_without_end_takes_little_time_and_memory() {
    let _alone = alone();
    let recorded = Recorded::new(None);
    let mut file = File::create(recorded.map()).unwrap();
    writeln!(file, "{CODE:x} 40 begin").unwrap();
    // Sparse: one line of zeros.
    file.set_len(10 << 30).unwrap();
    let (name, said) = recorded.converted(&[]);
    assert_eq!(
        (&*name, &said["limit_reached"]),
        ("begin", &true.into()),
        "{said}"
    );
    assert_eq!((&said["names"], &said["malformed"]), (&1.into(), &1.into()));
}

/// Puts a list where runtimes do, and takes it away again.
struct InTmp(PathBuf);

impl InTmp {
    fn new(text: &str, written: SystemTime) -> Self {
        let path = Path::new("/tmp").join(format!("perf-{PID}.map"));
        fs::write(&path, text).unwrap();
        File::open(&path).unwrap().set_modified(written).unwrap();
        Self(path)
    }
}

impl Drop for InTmp {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn a_list_that_is_older_than_its_process_is_not_its() {
    let _alone = alone();
    let text = format!("{CODE:x} 40 here\n");
    let began = Recorded::new(Some(100));
    let before = Recorded::new(None);
    let now = SystemTime::now();
    let list = InTmp::new(&text, now - Duration::from_secs(60));
    let (name, said) = began.converted(&[]);
    assert_eq!(
        (name, &said["refused"]),
        (nameless(), &"it is older than the process".into())
    );
    // Of one that ran before the recording nothing is known.
    assert_eq!(before.converted(&[]).0, "here");
    drop(list);
    let list = InTmp::new(&text, now);
    assert_eq!(began.converted(&[]).0, "here");
    drop(list);
    let (name, said) = began.converted(&[]);
    assert_eq!(
        (name, &said["refused"]),
        (nameless(), &"there is none".into())
    );
}

#[test]
fn a_list_inside_a_root_is_found_and_no_link_leads_out_of_it() {
    let _alone = alone();
    let recorded = Recorded::new(None);
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("tmp")).unwrap();
    let list = root.path().join("tmp").join(format!("perf-{PID}.map"));
    fs::write(&list, format!("{CODE:x} 40 inside\n")).unwrap();
    let path = root.path().to_str().unwrap();
    assert_eq!(recorded.converted(&["--root", path]).0, "inside");
    // A `/tmp` that is a link is followed inside the root: there is nothing.
    fs::rename(root.path().join("tmp"), root.path().join("moved")).unwrap();
    let outside = tempfile::tempdir().unwrap();
    testkit::copy(
        root.path().join("moved").join(list.file_name().unwrap()),
        outside.path().join(list.file_name().unwrap()),
    )
    .unwrap();
    symlink(outside.path(), root.path().join("tmp")).unwrap();
    assert_eq!(recorded.converted(&["--root", path]).0, nameless());
}

#[test]
fn a_dump_inside_a_root_is_found_and_no_link_leads_out_of_it() {
    let _alone = alone();
    let recorded = Recorded::with_dump();
    let mut file = JitdumpFile::new(false);
    file.load(1, CODE, 0x40, "made");
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("nowhere");
    let root = ["--root", root.path().to_str().unwrap()];
    let name = format!("jit-{PID}.dump");
    fs::create_dir(&folder).unwrap();
    let dump = folder.join(&name);
    fs::write(&dump, &file.bytes.bytes).unwrap();
    let (found, said) = recorded.converted(&root);
    assert!(found.contains("made"), "{found} {said}");
    assert_eq!(said["path"], dump.to_str().unwrap());
    assert_eq!(recorded.converted(&[]).0, nameless());
    // Neither the file nor its directory is a link to elsewhere.
    let elsewhere = tempfile::tempdir().unwrap();
    fs::rename(&dump, elsewhere.path().join(&name)).unwrap();
    symlink(elsewhere.path().join(&name), &dump).unwrap();
    assert_eq!(recorded.converted(&root).0, nameless());
    fs::remove_file(&dump).unwrap();
    fs::remove_dir(&folder).unwrap();
    symlink(elsewhere.path(), &folder).unwrap();
    assert_eq!(recorded.converted(&root).0, nameless());
}
