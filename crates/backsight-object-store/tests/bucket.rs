//! Buckets on a server of loopback that does as it pleases, and in a directory.

use std::fs;
use std::io::Read;
use std::time::Duration;

use backsight_object_store::{BucketError, BucketFetcher, BucketOptions, BucketOutcome};
use backsight_store::{Store, StoredKind};
use backsight_types::BuildId;
use tempfile::TempDir;
use testkit::elf::{Elf, Note, SHT_NOBITS, SHT_PROGBITS, Section, Shape};
use testkit::http::{Reply, Request, Stub};

const ID: [u8; 4] = [1, 2, 3, 4];

fn id() -> BuildId {
    BuildId::from_bytes(&ID).unwrap()
}

/// A debug file, or an executable without DWARF.
fn elf(id: &[u8], is_debug: bool) -> Vec<u8> {
    let section = |name: &str, flags| Section {
        name: name.as_bytes().to_vec(),
        flags,
        kind: SHT_PROGBITS,
        bytes: vec![7; 200_000],
        ..Section::default()
    };
    let text = match is_debug {
        true => Section {
            kind: SHT_NOBITS,
            bytes: Vec::new(),
            claimed_size: Some(10),
            ..section(".text", 6)
        },
        false => section(".text", 6),
    };
    let mut elf = Elf::new(Shape::ELF64_LITTLE)
        .note_section(".note.gnu.build-id", &[Note::gnu_build_id(id)], 4)
        .section(text);
    if is_debug {
        elf = elf.section(section(".debug_info", 0));
    }
    elf.build()
}

/// What a sound service says of `s3://symbols/release`.
fn sound(request: &Request) -> Reply {
    // Names of Google's service have all but letters and digits encoded.
    match request
        .path
        .replace("%2F", "/")
        .replace("%2E", ".")
        .replace("%2D", "-")
        .as_str()
    {
        "/symbols/release/.build-id/01/020304.debug" => Reply::Content(elf(&ID, true)),
        "/symbols/release/.build-id/01/020304" => Reply::Content(elf(&ID, false)),
        _ => Reply::Status(404),
    }
}

fn options(dir: &TempDir, stub: &Stub) -> BucketOptions {
    let url = "s3://symbols/release".parse().unwrap();
    let mut options = BucketOptions::new(url, Store::at(dir.path().join("store")));
    options.settings = [
        ("region", "eu-central-1"),
        ("endpoint", &stub.url()),
        ("allow_http", "true"),
        ("access_key_id", "key"),
        ("secret_access_key", "secret"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .to_vec();
    options.retries = 0;
    options
}

/// Returns the bytes of the file.
fn get(bucket: &BucketFetcher, kind: StoredKind) -> Option<Vec<u8>> {
    let (mut file, _) = bucket.get(&id(), kind).unwrap()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    Some(bytes)
}

#[test]
fn a_file_is_fetched_once_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let stub = Stub::new(sound);
    let bucket = BucketFetcher::new(options(&dir, &stub)).unwrap();
    for (kind, is_debug) in [
        (StoredKind::DebugFile, true),
        (StoredKind::Executable, false),
    ] {
        for _ in 0..2 {
            assert!(get(&bucket, kind) == Some(elf(&ID, is_debug)));
        }
    }
    let requests = stub.requests();
    assert_eq!(requests.len(), 2, "{requests:?}");
    for request in requests {
        let signature = request.authorization.unwrap();
        assert!(
            signature.starts_with("AWS4-HMAC-SHA256 Credential=key/"),
            "{signature}"
        );
    }
    let store = Store::at(dir.path().join("store"));
    assert_eq!(store.list().unwrap().files.len(), 2);
    let absent = bucket.get(&"0506".parse().unwrap(), StoredKind::DebugFile);
    assert!(absent.unwrap().is_none());
    assert_eq!(stub.requests().len(), 3);
}

#[test]
fn the_store_stays_within_its_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let stub = Stub::new(sound);
    let mut options = options(&dir, &stub);
    options.store_bytes = 300_000;
    let bucket = BucketFetcher::new(options).unwrap();
    assert!(get(&bucket, StoredKind::DebugFile).is_some());
    assert!(get(&bucket, StoredKind::Executable).is_some());
    let store = Store::at(dir.path().join("store"));
    assert_eq!(store.list().unwrap().files.len(), 1);
}

#[test]
fn wrong_answers_of_a_server_are_not_kept() {
    type Case = (
        &'static str,
        fn(&Request) -> Reply,
        fn(&BucketError) -> bool,
    );
    let is_service = |error: &BucketError| matches!(error, BucketError::Service(_));
    let cases: &[Case] = &[
        (
            "another build",
            |_| Reply::Content(elf(&[9, 9, 9], true)),
            |error| *error == BucketError::WrongBuildId,
        ),
        (
            "no ELF file",
            |_| Reply::Content(b"<html>".to_vec()),
            |error| *error == BucketError::WrongBuildId,
        ),
        (
            "another kind",
            |_| Reply::Content(elf(&ID, false)),
            |error| *error == BucketError::WrongKind,
        ),
        (
            "too large",
            |_| Reply::Content(vec![0; 500_001]),
            |error| *error == BucketError::TooLarge { limit: 500_000 },
        ),
        ("endless", |_| Reply::Endless, |_| true),
        (
            "cut off",
            |_| Reply::CutOff(elf(&ID, true), 1000),
            is_service,
        ),
        (
            "refused",
            |_| Reply::Status(403),
            |error| *error == BucketError::Denied(None),
        ),
        (
            "refused with a word",
            |_| Reply::Refusal(401, "<Code>ExpiredToken</Code>".to_owned()),
            |error| *error == BucketError::Denied(Some("ExpiredToken".to_owned())),
        ),
        (
            "refused with more than a word",
            |_| Reply::Refusal(403, "<Code>\x1b[31m</Code>".to_owned()),
            |error| *error == BucketError::Denied(None),
        ),
        (
            "no bucket",
            |_| Reply::Refusal(404, "<Error><Code>NoSuchBucket</Code></Error>".to_owned()),
            |error| *error == BucketError::NoBucket,
        ),
        ("failed", |_| Reply::Status(500), is_service),
        (
            "elsewhere",
            |_| Reply::Redirect("/x".to_owned()),
            is_service,
        ),
        ("silent", |_| Reply::Silence, is_service),
        ("no HTTP", |_| Reply::Garbage, is_service),
        (
            "slow",
            |_| Reply::Slow(elf(&ID, true), Duration::from_millis(20)),
            |_| true,
        ),
    ];
    for (name, reply, is_expected) in cases {
        let dir = tempfile::tempdir().unwrap();
        let stub = Stub::new(*reply);
        let mut options = options(&dir, &stub);
        options.file_bytes = 500_000;
        options.stall_time = Duration::from_millis(500);
        options.file_time = Duration::from_millis(1500);
        let bucket = BucketFetcher::new(options).unwrap();
        let error = bucket.get(&id(), StoredKind::DebugFile).unwrap_err();
        assert!(is_expected(&error), "{name}: {error:?}");
        let debug = dir.path().join("store/.build-id/01/020304.debug");
        assert!(!debug.exists(), "{name}");
    }
}

#[test]
fn a_server_that_fails_is_asked_again() {
    let dir = tempfile::tempdir().unwrap();
    let count = std::sync::atomic::AtomicUsize::new(0);
    let stub =
        Stub::new(
            move |request| match count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
                0 => Reply::Status(503),
                _ => sound(request),
            },
        );
    let mut options = options(&dir, &stub);
    options.retries = 1;
    let bucket = BucketFetcher::new(options).unwrap();
    assert!(get(&bucket, StoredKind::DebugFile).is_some());
    assert_eq!(stub.requests().len(), 2);
}

#[test]
fn a_bucket_that_goes_on_failing_is_left() {
    // The status, and how many files are asked for until nobody is asked any more.
    for (reply, most) in [
        (Reply::Status(500), 3),
        (
            Reply::Refusal(404, "<Code>NoSuchBucket</Code>".to_owned()),
            1,
        ),
        // One file may be denied, and the next one may not.
        (Reply::Status(403), 8),
        (Reply::Status(404), 8),
        (Reply::Content(elf(&[9, 9, 9], true)), 8),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let said = reply.clone();
        let stub = Stub::new(move |_| said.clone());
        let bucket = BucketFetcher::new(options(&dir, &stub)).unwrap();
        for number in 0..8 {
            let id = BuildId::from_bytes(&[number, 1, 2]).unwrap();
            let got = bucket.get(&id, StoredKind::DebugFile);
            let is_given_up = matches!(got, Err(BucketError::GivenUp(_)));
            assert_eq!(
                is_given_up,
                usize::from(number) >= most,
                "{reply:?} {number}"
            );
        }
        assert_eq!(
            (stub.requests().len(), bucket.requests()),
            (most, most as u64)
        );
        assert_eq!(bucket.transfers().len(), 8);
    }
}

#[test]
fn offline_nobody_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let stub = Stub::new(sound);
    let mut options = options(&dir, &stub);
    let outcome = |bucket: &BucketFetcher| {
        let found = get(bucket, StoredKind::DebugFile).is_some();
        (found, bucket.transfers().last().unwrap().outcome.clone())
    };
    let bucket = BucketFetcher::new(options.clone()).unwrap();
    assert_eq!(outcome(&bucket), (true, BucketOutcome::Fetched));
    assert_eq!(outcome(&bucket), (true, BucketOutcome::Stored));
    options.offline = true;
    let bucket = BucketFetcher::new(options.clone()).unwrap();
    assert_eq!(outcome(&bucket), (true, BucketOutcome::Stored));
    options.store = Store::at(dir.path().join("other"));
    let bucket = BucketFetcher::new(options).unwrap();
    assert_eq!(outcome(&bucket), (false, BucketOutcome::Offline));
    assert_eq!(stub.requests().len(), 1);
}

#[test]
fn google_s_buckets_are_asked_too() {
    let dir = tempfile::tempdir().unwrap();
    let stub = Stub::new(sound);
    let url = "gs://symbols/release".parse().unwrap();
    let mut options = BucketOptions::new(url, Store::at(dir.path().join("store")));
    options.settings = vec![
        ("google_base_url".to_owned(), stub.url()),
        ("google_skip_signature".to_owned(), "true".to_owned()),
    ];
    let bucket = BucketFetcher::new(options).unwrap();
    assert!(get(&bucket, StoredKind::DebugFile) == Some(elf(&ID, true)));
}

#[test]
fn a_directory_is_a_bucket() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("bucket/.build-id/01");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("020304.debug"), elf(&ID, true)).unwrap();
    let url = format!("file://{}/bucket", dir.path().display());
    let store = dir.path().join("store");
    let options = BucketOptions::new(url.parse().unwrap(), Store::at(&store));
    let bucket = BucketFetcher::new(options).unwrap();
    assert!(get(&bucket, StoredKind::DebugFile) == Some(elf(&ID, true)));
    assert!(get(&bucket, StoredKind::Executable).is_none());
    fs::create_dir(folder.join("020304")).unwrap();
    let refused = bucket.get(&id(), StoredKind::Executable);
    assert!(matches!(refused, Err(BucketError::File(_))));
    assert!(!store.exists(), "its files are used where they are");
}

#[test]
fn settings_that_the_service_does_not_have_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let url = "s3://symbols".parse().unwrap();
    let mut options = BucketOptions::new(url, Store::at(dir.path()));
    options
        .settings
        .push(("colour".to_owned(), "red".to_owned()));
    let refused = BucketFetcher::new(options).unwrap_err();
    assert_eq!(refused, BucketError::UnknownSetting("colour".to_owned()));
}
