//! The cache directory: its owner and mode, and eviction.

mod common;

use std::time::Duration;

use backsight_debuginfod::{Client, FetchFault, FileKind, Server, TransferOutcome};
use backsight_types::BuildId;
use common::{Watched, elf, file, id, options, sound};
use tempfile::TempDir;
use testkit::http::{Reply, Request, Stub};

/// A file of 100,000 bytes of whatever build ID is asked for.
fn of_any_id(request: &Request) -> Reply {
    let digits = request.path.split('/').nth(2).unwrap_or_default();
    let id: BuildId = digits.parse().expect("a build ID");
    Reply::Content(elf(id.as_bytes(), 100_000))
}

#[test]
fn a_cache_that_others_can_write_to_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let cache = TempDir::new().expect("room");
    let stub = Stub::new(sound);
    let options = options(&cache, &[&stub]);
    std::fs::create_dir(&options.cache_dir).expect("a directory");
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(&options.cache_dir, open).expect("allowed");
    let refused = Client::new(options.clone()).expect_err("others can write there");
    assert_eq!(
        refused,
        FetchFault::CacheOfOthers(options.cache_dir.clone())
    );
    std::fs::remove_dir(&options.cache_dir).expect("empty");
    std::fs::write(&options.cache_dir, "").expect("a file");
    let refused = Client::new(options).expect_err("no directory");
    assert!(matches!(refused, FetchFault::Cache { .. }), "{refused:?}");
}

#[test]
fn the_cache_loses_what_was_not_used_for_longest() {
    let cache = TempDir::new().expect("room");
    let stub = Stub::new(of_any_id);
    let mut options = options(&cache, &[&stub]);
    options.cache_bytes = 250_000;
    let client = Client::new(options).expect("a cache");
    let get = |byte| {
        let got = client
            .get(&id(byte), FileKind::DebugInfo)
            .expect("a file")
            .expect("it");
        // The kernel sets file times with the resolution of a clock tick.
        std::thread::sleep(Duration::from_millis(20));
        got
    };
    // The first file is used again before the third one causes an eviction.
    for byte in [1, 2, 1, 3] {
        drop(get(byte));
    }
    let requests = stub.requests().len();
    for byte in [1, 3] {
        drop(get(byte));
    }
    assert_eq!((requests, stub.requests().len()), (3, 3));
    drop(get(2));
    assert_eq!(stub.requests().len(), 4);
}

#[test]
fn old_notes_of_what_no_server_has_go_with_their_directories() {
    let cache = TempDir::new().expect("room");
    let stub = Stub::new(|_| Reply::Status(404));
    let mut options = options(&cache, &[&stub]);
    options.absent_for = Duration::ZERO;
    let dir = options.cache_dir.clone();
    let client = Client::new(options).expect("a cache");
    for byte in 0..=255 {
        let got = client.get(&id(byte), FileKind::DebugInfo);
        assert!(got.expect("an answer").is_none());
    }
    let folders = std::fs::read_dir(&dir).expect("it is there").count();
    assert!(
        folders <= 66,
        "{folders} folders, one of locks and those since the last look"
    );
    assert_eq!(stub.requests().len(), 256);
}

/// In the cache directory, and in the directory of a build ID: whatever the limit.
#[test]
fn only_its_own_files_are_removed() {
    let cache = TempDir::new().expect("room");
    let stub = Stub::new(of_any_id);
    let mut options = options(&cache, &[&stub]);
    options.cache_bytes = 1;
    options.absent_for = Duration::ZERO;
    let dir = options.cache_dir.clone();
    let (first, other) = (id(1).to_string(), id(2).to_string());
    let foreign = [
        "notes.txt".to_owned(),
        "debuginfo".to_owned(),
        "project/debuginfo".to_owned(),
        format!("project/{first}/debuginfo"),
        format!("{first}/source##a.c"),
        format!("{first}/debuginfo.bak"),
        format!("{first}/mine.absent"),
        format!("{other}/debuginfo-headers"),
        format!("{other}/section/.debug_line"),
        "buckets/11/22.debug".to_owned(),
    ];
    for path in &foreign {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("room");
        std::fs::write(&path, [0; 4096]).expect("room");
    }
    let own = [
        format!("{other}/debuginfo"),
        format!("{other}/executable.absent"),
        format!("{other}/debuginfo.part-0123"),
    ];
    for path in &own {
        std::fs::write(dir.join(path), [0; 4096]).expect("room");
    }
    let client = Client::new(options).expect("a cache");
    let got = client.get(&id(1), FileKind::DebugInfo);
    assert!(got.expect("an answer").is_some());
    for path in &foreign {
        let length = std::fs::metadata(dir.join(path)).map(|it| it.len()).ok();
        assert_eq!(length, Some(4096), "{path}");
    }
    for path in &own {
        assert!(!dir.join(path).exists(), "{path}");
    }
}

/// A file of another build, one without its end, links to both and to nothing, and what is no
/// file: each is replaced by what the server has, and named if no server is asked.
#[test]
fn a_damaged_file_is_fetched_again() {
    let cache = TempDir::new().expect("room");
    let stub = Stub::new(sound);
    let options = options(&cache, &[&stub]);
    let folder = options.cache_dir.join(id(0x11).to_string());
    std::fs::create_dir_all(&folder).expect("room");
    let place = folder.join("debuginfo");
    let elsewhere = cache.path().join("elsewhere");
    let shape = testkit::elf::Shape::ELF64_LITTLE;
    let note = testkit::elf::Note::gnu_build_id(&[0x11; 8]);
    let whole = testkit::elf::Elf::new(shape)
        .note_section(".note.gnu.build-id", &[note], 4)
        .build();
    let cut = &whole[..whole.len() - 1];
    let link = || std::os::unix::fs::symlink(&elsewhere, &place);
    let damages: [(&str, &dyn Fn()); 5] = [
        ("another build", &|| {
            std::fs::write(&place, elf(&[0x12; 8], 0)).expect("room");
        }),
        ("no end", &|| std::fs::write(&place, cut).expect("room")),
        ("a link to another build", &|| {
            std::fs::write(&elsewhere, elf(&[0x12; 8], 0)).expect("room");
            link().expect("room");
        }),
        ("a link to nothing", &|| {
            drop(std::fs::remove_file(&elsewhere));
            link().expect("room");
        }),
        ("a FIFO", &|| {
            let made = std::process::Command::new("mkfifo").arg(&place).status();
            assert!(made.expect("mkfifo").success());
        }),
    ];
    for (what, damage) in damages {
        drop(std::fs::remove_file(&place));
        damage();
        for offline in [
            options.clone().with_offline(true),
            options.clone().with_servers(Vec::new()),
        ] {
            let got = Client::new(offline).expect("a cache");
            let got = got.get(&id(0x11), FileKind::DebugInfo);
            let fault = got.expect_err("damaged");
            assert_eq!(fault, FetchFault::Damaged(place.clone()), "{what}");
        }
        let client = Watched::new(options.clone());
        let got = client.client.get(&id(0x11), FileKind::DebugInfo);
        assert!(got.expect("an answer").is_some(), "{what}");
        let server: Server = stub.url().parse().expect("an address");
        let outcome = &client.attempts()[0].outcome;
        assert_eq!(*outcome, TransferOutcome::Fetched(server), "{what}");
        assert_eq!(std::fs::read(&place).expect("a file"), file(), "{what}");
        let metadata = std::fs::symlink_metadata(&place).expect("a file");
        assert!(metadata.is_file(), "{what}");
    }
    // A server that does not have it: what was damaged is gone, and not taken for the file.
    std::fs::write(&place, cut).expect("room");
    let lacking = Stub::new(|_| Reply::Status(404));
    let servers = vec![lacking.url().parse().expect("an address")];
    let client = Client::new(options.clone().with_servers(servers)).expect("a cache");
    let got = client.get(&id(0x11), FileKind::DebugInfo);
    assert!(got.expect("an answer").is_none());
    assert!(!place.exists());
    // A link to the file itself is as good as the file.
    std::fs::write(&elsewhere, &whole).expect("room");
    link().expect("room");
    let client = Client::new(options.with_offline(true)).expect("a cache");
    let got = client.get(&id(0x11), FileKind::DebugInfo);
    assert!(got.expect("an answer").is_some());
}

/// That a server lacks a file says nothing of another server.
#[test]
fn each_server_s_absence_is_its_own() {
    let cache = TempDir::new().expect("room");
    let lacking = Stub::new(|_| Reply::Status(404));
    let failing = Stub::new(|_| Reply::Status(500));
    let having = Stub::new(sound);
    let ask = |servers: &[&Stub]| {
        let client = Watched::new(options(&cache, servers));
        drop(client.client.get(&id(0x11), FileKind::DebugInfo));
        client.attempts()[0].outcome.clone()
    };
    assert_eq!(ask(&[&lacking]), TransferOutcome::Absent);
    assert_eq!(ask(&[&lacking]), TransferOutcome::KnownAbsent);
    // The other is asked, and the first is not asked again.
    let failed = ask(&[&lacking, &failing]);
    let status = FetchFault::Status(500);
    assert!(
        matches!(&failed, TransferOutcome::Failed(_, fault) if *fault == status),
        "{failed:?}"
    );
    let server: Server = having.url().parse().expect("an address");
    assert_eq!(
        ask(&[&lacking, &having]),
        TransferOutcome::Fetched(server),
        "the file"
    );
    let counts = [&lacking, &failing, &having].map(|stub| stub.requests().len());
    assert_eq!(counts, [1, 1, 1]);
}
