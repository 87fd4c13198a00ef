//! Indexes in a directory: for all files of a build ID, or only for certain files.

use std::os::unix::fs::PermissionsExt;
use std::slice::from_ref;

use backsight_files::Identity;
use backsight_index::{
    Binding, FunctionName, IndexBuilder, IndexCause, IndexDir, IndexError, ReadOptions, SymbolIndex,
};
use backsight_types::BuildId;

fn id(text: &str) -> BuildId {
    text.parse().expect("an ID")
}

fn index_of(id: BuildId) -> SymbolIndex {
    let mut index = IndexBuilder::default().build_id(id);
    let main = FunctionName::plain("main");
    index.function(from_ref(&(0x10..0x20)), main).expect("room");
    index.finish().expect("room")
}

fn dir(of: &tempfile::TempDir) -> IndexDir {
    IndexDir::new(of.path().join("indexes"), 1 << 20)
}

/// Returns the cause of a failed operation.
fn cause<T>(of: Result<T, IndexError>) -> Option<IndexCause> {
    Some(of.err()?.cause().clone())
}

fn is_missing(found: Result<SymbolIndex, IndexError>) -> bool {
    cause(found) == Some(std::io::Error::from_raw_os_error(2).into())
}

#[test]
fn an_index_is_used_for_the_files_that_it_was_kept_for() {
    let place = tempfile::tempdir().expect("a directory");
    let dir = dir(&place);
    let options = ReadOptions::default();
    let (a, b) = (id("aaaa"), id("bbbb"));
    assert_eq!(dir.check(), Ok(()));
    assert!(is_missing(dir.get(a, None, &options)));
    dir.keep(&index_of(a)).expect("kept");
    assert_eq!(
        dir.get(a, None, &options).expect("there").build_id(),
        Some(a)
    );
    assert!(is_missing(dir.get(b, None, &options)));
    // Two files with the same build ID have separate indexes.
    let identity = |name: &str| {
        let path = place.path().join(name);
        std::fs::write(&path, name).expect("written");
        let file = std::fs::File::open(&path).expect("there");
        Identity::of(&file).expect("a status")
    };
    let bindings = [identity("one"), identity("other")].map(|it| Binding::of(Some(it), None));
    let [one, other] = bindings;
    assert_ne!(one, other);
    dir.keep_bound(&index_of(b), Some(one)).expect("kept");
    assert!(dir.get(b, Some(one), &options).is_ok());
    assert!(is_missing(dir.get(b, Some(other), &options)));
    assert!(is_missing(dir.get(b, None, &options)));
    dir.remove(b, Some(one));
    assert!(is_missing(dir.get(b, Some(one), &options)));
}

#[test]
fn untrusted_indexes_are_not_kept() {
    let place = tempfile::tempdir().expect("a directory");
    let dir = dir(&place);
    let a = id("aaaa");
    let kept = dir.keep(&index_of(a).with_untrusted(true));
    assert_eq!(cause(kept), Some(IndexCause::Untrusted));
    let mut nameless = IndexBuilder::default();
    nameless
        .function(from_ref(&(0..1)), FunctionName::plain("f"))
        .expect("room");
    let kept = dir.keep(&nameless.finish().expect("room"));
    assert_eq!(cause(kept), Some(IndexCause::NoBuildId));
    dir.keep(&index_of(a)).expect("kept");
    // An index of another module with the file name of this one.
    index_of(id("bbbb"))
        .write(&dir.path_of(a))
        .expect("written");
    let got = dir.get(a, None, &ReadOptions::default());
    let text = cause(got).map(|cause| cause.to_string());
    let want = "the symbol index of build ID bbbb, where that of build ID aaaa was looked for";
    assert_eq!(text.as_deref(), Some(want));
    let all = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(&dir.path, all).expect("ours");
    assert_eq!(cause(dir.check()), Some(IndexCause::NotOurs));
    assert_eq!(cause(dir.keep(&index_of(a))), Some(IndexCause::NotOurs));
}

#[test]
fn the_longest_unused_make_room() {
    let place = tempfile::tempdir().expect("a directory");
    let mut dir = dir(&place);
    let ids = ["aa", "bb", "cc", "dd"].map(id);
    for (age, id) in (1..).zip(ids) {
        dir.keep(&index_of(id)).expect("kept");
        let file = std::fs::File::options().write(true).open(dir.path_of(id));
        let used = std::time::SystemTime::now() - std::time::Duration::from_secs(age * 3600);
        file.expect("there").set_modified(used).expect("ours");
    }
    let size = u64::try_from(index_of(id("aa")).file_size()).expect("64 bits");
    dir.max_bytes = 3 * size;
    let left = dir.make_room().expect("room");
    assert_eq!(left, 2 * size);
    let there = ids.map(|id| dir.path_of(id).exists());
    assert_eq!(there, [true, true, false, false]);
    dir.max_bytes = size - 1;
    let kept = dir.keep(&index_of(id("ee")));
    let limit = size - 1;
    let path = dir.path_of(id("ee"));
    let too_large = backsight_files::Error::TooLarge { limit };
    let kept = kept.expect_err("no room");
    assert_eq!(*kept.cause(), IndexCause::File(too_large));
    assert_eq!((kept.operation(), kept.path()), ("keep", Some(&*path)));
}

/// Files are opened by internal paths; messages must have the path that the caller gave.
#[test]
fn an_error_names_the_file_as_the_caller_would() {
    let place = tempfile::tempdir().expect("a directory");
    let dir = dir(&place);
    let options = ReadOptions::default();
    let said = |error: IndexError| error.to_string();
    let id = id("aa");
    let none = dir.get(id, None, &options).map_err(said).expect_err("none");
    let want = format!("open {}: ", dir.path.display());
    assert!(none.starts_with(&want), "{none}");
    dir.keep(&index_of(id)).expect("kept");
    let path = dir.path_of(id);
    std::fs::remove_file(&path).expect("removed");
    let none = dir.get(id, None, &options).map_err(said).expect_err("none");
    let want = format!("open {}: ", path.display());
    assert!(none.starts_with(&want), "{none}");
    std::fs::create_dir(&path).expect("a directory in its place");
    let kept = dir.keep(&index_of(id)).map_err(said).expect_err("taken");
    let want = format!("create {}: ", path.display());
    assert!(kept.starts_with(&want), "{kept}");
    // Errors of a damaged file have its path, too.
    std::fs::remove_dir(&path).expect("empty");
    let whole = {
        dir.keep(&index_of(id)).expect("kept");
        std::fs::read(&path).expect("there")
    };
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let cases = [
        ("empty", Vec::new()),
        ("cut off", whole[..whole.len() / 2].to_vec()),
        ("of another version", flipped(8)),
        ("with a damaged header", flipped(20)),
        ("no index", b"\x7fELF and more than that".to_vec()),
    ];
    for (what, bytes) in cases {
        std::fs::write(&path, bytes).expect("written");
        let read = dir.get(id, None, &options).map_err(said);
        let message = read.err().unwrap_or_else(|| panic!("{what}: read"));
        let want = format!("read {}: ", path.display());
        assert!(message.starts_with(&want), "{what}: {message}");
        assert_eq!(message.matches("/indexes").count(), 1, "{what}: {message}");
    }
    let all = std::fs::Permissions::from_mode(0o666);
    std::fs::set_permissions(&path, all).expect("ours");
    let theirs = dir
        .get(id, None, &options)
        .map_err(said)
        .expect_err("theirs");
    let want = format!("open {}: others can change it", path.display());
    assert!(theirs.starts_with(&want), "{theirs}");
}
