//! The cache directory: its owner and mode, and eviction.

mod common;

use std::time::Duration;

use backsight_debuginfod::{Client, FetchFault, FileKind};
use backsight_types::BuildId;
use common::{elf, id, options, sound};
use tempfile::TempDir;
use testkit::http::{Reply, Request, Stub};

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
    let of_any_id = |request: &Request| {
        let digits = request.path.split('/').nth(2).unwrap_or_default();
        let id: BuildId = digits.parse().expect("a build ID");
        Reply::Content(elf(id.as_bytes(), 100_000))
    };
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
