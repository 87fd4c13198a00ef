//! A recording that cannot be read, or only in part: the error has the operation, the path and the
//! cause, each once.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use backsight::formats::perf_data::{self, ReadEnd};
use backsight::{ModuleFiles, PerfData, RecordingError, RecordingOptions};
use backsight_files::{Error as FileCause, NonRegularKind};
use testkit::perf_file::{Event, PerfFile, sample};
use testkit::user::unprivileged;

const ENOENT: i32 = 2;
const EACCES: i32 = 13;
const EINVAL: i32 = 22;

fn recording() -> PerfFile {
    let event = Event {
        name: "cycles",
        sample_type: sample::IDENTIFIER | sample::TID | sample::TIME,
        ids: vec![1],
        ..Event::default()
    };
    let mut file = PerfFile::new(false, &[event]);
    file.comm(7, 7, "main", 1);
    file
}

fn open(path: &Path) -> RecordingError {
    let options = RecordingOptions::default();
    match PerfData::of_file(path, options, ModuleFiles::default()) {
        Ok(_) => panic!("{}: it is read", path.display()),
        Err(error) => error,
    }
}

/// What an error has beside its text: operation, path and errno.
type Parts = (&'static str, PathBuf, Option<i32>);

fn parts(error: &RecordingError) -> Parts {
    match error {
        RecordingError::File(error) => {
            let errno = match error.error() {
                FileCause::Io(error) => error.errno(),
                FileCause::NotRegular(kind) => {
                    assert_eq!(*kind, NonRegularKind::Fifo);
                    None
                }
                other => panic!("{other:?}"),
            };
            (error.operation(), error.path().unwrap().to_owned(), errno)
        }
        RecordingError::Read(error) => {
            let errno = match error.error() {
                perf_data::Error::Io(error) => error.raw_os_error(),
                _ => None,
            };
            (error.operation(), error.path().unwrap().to_owned(), errno)
        }
        RecordingError::NotInFolder { path } => ("", path.clone(), None),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_error_of_a_file_has_its_operation_path_and_cause_once() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let at = |name: &str| dir.path().join(name);
    let write = |name: &str, bytes: &[u8]| fs::write(at(name), bytes).unwrap();
    let whole = recording().file();
    write("text", b"no recording");
    write("start", &whole[..8]);
    write("header", &whole[..60]);
    write("before-records", &whole[..110]);
    write("secret", &whole);
    fs::set_permissions(at("secret"), fs::Permissions::from_mode(0o000)).unwrap();
    for folder in ["empty", "folder", "secret-folder"] {
        fs::create_dir(at(folder)).unwrap();
    }
    write("folder/data", b"no recording");
    write("secret-folder/data", &whole);
    write("secret-folder/data.0", b"");
    let hidden = at("secret-folder/data.0");
    fs::set_permissions(&hidden, fs::Permissions::from_mode(0o000)).unwrap();
    make_fifo(&at("fifo"));

    let memory = PathBuf::from("/proc/self/mem");
    let ends = "a damaged perf.data file: it ends";
    let cases: [(PathBuf, Parts, String); 11] = [
        (
            at("absent"),
            ("open", at("absent"), Some(ENOENT)),
            "No such file".into(),
        ),
        (
            at("secret"),
            ("open", at("secret"), Some(EACCES)),
            "Permission denied".into(),
        ),
        (
            at("secret-folder"),
            ("open", hidden, Some(EACCES)),
            "Permission denied".into(),
        ),
        (
            at("fifo"),
            ("open", at("fifo"), None),
            "not a regular file but a FIFO".into(),
        ),
        // It is a regular file, and has no end to seek to.
        (
            memory.clone(),
            ("read", memory, Some(EINVAL)),
            "Invalid argument".into(),
        ),
        (
            at("text"),
            ("read", at("text"), None),
            "not a perf.data file".into(),
        ),
        (
            at("start"),
            ("read", at("start"), None),
            format!("{ends} within its header"),
        ),
        (
            at("header"),
            ("read", at("header"), None),
            format!("{ends} within its header"),
        ),
        (
            at("before-records"),
            ("read", at("before-records"), None),
            format!("{ends} before its first record"),
        ),
        (
            at("folder"),
            ("read", at("folder/data"), None),
            "not a perf.data file".into(),
        ),
        (
            at("empty"),
            ("", at("empty"), None),
            "the directory has no file `data`".into(),
        ),
    ];
    for (path, want, cause) in cases {
        let needs_user = want.2 == Some(EACCES);
        let error = match needs_user {
            true => unprivileged(|| open(&path)),
            false => open(&path),
        };
        assert_eq!(parts(&error), want, "{}", path.display());
        let text = error.to_string();
        let shown = want.1.to_str().unwrap();
        assert_eq!(text.matches(shown).count(), 1, "{text}");
        assert_eq!(text.matches(&cause).count(), 1, "{text}");
        if !want.0.is_empty() {
            assert!(text.starts_with(&format!("{} {shown}: ", want.0)), "{text}");
        }
    }
}

fn make_fifo(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status();
    assert!(made.unwrap().success());
}

#[test]
fn files_that_end_early_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let recording = recording();
    let records = recording.records();
    let files = [
        ("data", recording.file()),
        ("data.0", records.to_vec()),
        ("data.1", records[..records.len() - 1].to_vec()),
        ("data.10", [&[0; 6][..], &[4, 0], records].concat()),
    ];
    for (name, bytes) in files {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    let options = RecordingOptions::default();
    let read = PerfData::of_file(dir.path(), options, ModuleFiles::default());
    let finished = read.unwrap().finish();
    let ends: Vec<_> = finished
        .cut_short()
        .map(|end| {
            assert!(matches!(
                end.error(),
                ReadEnd::Cut | ReadEnd::Damaged { .. }
            ));
            end.to_string()
        })
        .collect();
    let shown = dir.path().display();
    let want = [
        format!("read {shown}/data.1: the file is cut off; all before the cut was read"),
        format!(
            "read {shown}/data.10: damaged at byte 0 of its records: a record smaller than its \
             header; all before was read"
        ),
    ];
    assert_eq!(ends, want);
    assert_eq!(finished.problems.ends.len(), 2);
}
