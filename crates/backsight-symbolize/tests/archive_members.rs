//! Libraries that are stored in a zip archive, as Android maps them from an APK, are answered
//! like the same library in a file of its own.

mod common;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use backsight_symbolize::{
    Access, Cause, Frames, ModuleInput, Options, Place, Request, Symbolizer, Tier, open_module,
};
use backsight_types::{BuildId, FileOffset, Lookup, Reason};
use common::{Fixture, at, symbol};
use testkit::zip::Zip;

const SOURCE: &str = r#"
volatile int sink;
static inline __attribute__((always_inline)) void innermost(int x) { sink = x; }
__attribute__((noinline)) void work(int x) { innermost(x); innermost(x + 1); }
void entry(int x) { work(x); }
"#;

const MEMBERS: [&str; 4] = [
    "lib/x86_64/libfull.so",
    "lib/x86_64/libstripped.so",
    "lib/x86_64/libsplit.so",
    "lib/x86_64/libpacked.so",
];

/// Makes the libraries, each with a build ID of its own, and `base.apk` with all of them; the
/// last is compressed.
fn archive() -> Fixture {
    let fixture = Fixture::new();
    fixture.write("a.c", SOURCE);
    for (number, member) in MEMBERS.iter().enumerate() {
        let id = format!("-Wl,--build-id=0x{:040x}", 0xabcd_0000 + number);
        let out = member.rsplit('/').next().expect("a name");
        let args = ["-g", "-O2", "-shared", "-fPIC", &id, "-o", out, "a.c"];
        fixture.must("cc", &args);
    }
    fixture.must("strip", &["libstripped.so"]);
    let debug = build_id(2).to_string();
    let (first, rest) = debug.split_at(2);
    let debug = format!("debug/.build-id/{first}/{rest}.debug");
    fixture.write(&debug, "");
    fixture.must("objcopy", &["--only-keep-debug", "libsplit.so", &debug]);
    fixture.must("strip", &["libsplit.so"]);
    let read = |name: &str| std::fs::read(fixture.path(name)).expect("linked");
    let zip = Zip::new()
        .deflated("AndroidManifest.xml", b"<manifest/>")
        .stored(MEMBERS[0], &read("libfull.so"), 4096)
        .stored(MEMBERS[1], &read("libstripped.so"), 16384)
        .stored(MEMBERS[2], &read("libsplit.so"), 4096)
        .deflated(MEMBERS[3], &read("libpacked.so"));
    fixture.write("base.apk", zip.build());
    fixture
}

fn build_id(number: u32) -> BuildId {
    let id = format!("{:040x}", 0xabcd_0000_u32 + number);
    id.parse().expect("a build ID")
}

fn options(fixture: &Fixture, tier: Tier, access: Access) -> Options {
    let mut options = Options::default().with_tier(tier).with_access(access);
    options.debug_dirs = vec![fixture.path("debug")];
    options
}

/// Every address of the code, by virtual offset and by offset in the member.
fn answers(input: ModuleInput, options: Options, code: (u64, u64)) -> Vec<Result<Frames, Reason>> {
    let symbolizer = Symbolizer::new(options);
    let module = symbolizer.add(input, None, None);
    let (start, size) = code;
    let virt = (start..start + size).map(|addr| at(module, addr));
    let offsets = (start..start + size).map(|offset| {
        let place = Place::File(FileOffset(offset));
        Request::new(module, place, Lookup::Exact)
    });
    let requests: Vec<Request> = virt.chain(offsets).collect();
    symbolizer.symbolize(&requests)
}

fn member_path(fixture: &Fixture, member: &str) -> PathBuf {
    let archive = fixture.path("base.apk");
    PathBuf::from(format!("{}!/{member}", archive.display()))
}

fn opened(path: &Path, archive: &Path) -> ModuleInput {
    ModuleInput::File {
        file: Arc::new(File::open(archive).expect("there")),
        path: Some(path.to_owned()),
    }
}

#[test]
fn a_member_is_answered_as_the_library_is() {
    let fixture = archive();
    let code = {
        let (start, _) = symbol(&fixture.path("libfull.so"), "work");
        let (end, size) = symbol(&fixture.path("libfull.so"), "entry");
        (start.min(end), 64 + size)
    };
    let mut named = 0;
    for member in &MEMBERS[..3] {
        let file = fixture.path(member.rsplit('/').next().expect("a name"));
        let path = member_path(&fixture, member);
        for tier in [Tier::Lazy, Tier::Flat] {
            for access in [Access::Map, Access::Read] {
                let options = || options(&fixture, tier, access);
                let want = answers(opened(&file, &file), options(), code);
                named += want.iter().filter(|it| it.is_ok()).count();
                let got = answers(opened(&path, &fixture.path("base.apk")), options(), code);
                assert_eq!(got, want, "{member} {tier:?} {access:?}");
                let got = answers(ModuleInput::open(&path).expect("opened"), options(), code);
                assert_eq!(got, want, "{member} {tier:?} {access:?}, by path");
            }
        }
    }
    assert!(named > 500, "{named}");
}

#[test]
fn a_member_is_proven_by_its_build_id() {
    let fixture = archive();
    let options = options(&fixture, Tier::Auto, Access::Auto);
    for (number, member) in (0..).zip(&MEMBERS[..3]) {
        let path = member_path(&fixture, member);
        let file = open_module(Some(&path), build_id(number), &options).expect("proven");
        let symbolizer = Symbolizer::new(options.clone());
        let input = ModuleInput::File {
            file: Arc::new(file),
            path: Some(path.clone()),
        };
        let module = symbolizer.add(input, Some(build_id(number)), None);
        symbolizer.load(module).expect("its bytes");
        let other = open_module(Some(&path), build_id(number + 1), &options);
        let other = other.expect_err("another library");
        let want = Cause::other_build(Some(&build_id(number)), &build_id(number + 1));
        assert_eq!(*other.cause(), want, "{member}");
    }
}

/// The archive inside of a container, by the path that the container has.
#[test]
fn a_member_is_found_inside_a_root() {
    let fixture = archive();
    let root = fixture.path("root");
    std::fs::create_dir_all(root.join("data/app")).expect("made");
    std::fs::rename(fixture.path("base.apk"), root.join("data/app/base.apk")).expect("moved");
    let mut options = options(&fixture, Tier::Auto, Access::Auto);
    options.roots = vec![root];
    let path = PathBuf::from(format!("/data/app/base.apk!/{}", MEMBERS[0]));
    open_module(Some(&path), build_id(0), &options).expect("found inside of the root");
}

#[test]
fn a_member_that_cannot_be_used_is_refused_with_its_path() {
    let fixture = archive();
    let archive = fixture.path("base.apk");
    let refused = |path: &Path| {
        let symbolizer = Symbolizer::new(options(&fixture, Tier::Auto, Access::Auto));
        let module = symbolizer.add(opened(path, &archive), None, None);
        let error = symbolizer.load(module).expect_err("refused");
        let said = error.to_string();
        let path = path.display().to_string();
        assert_eq!(said.matches(&path).count(), 1, "{said}");
        error
    };
    for member in [MEMBERS[3], "lib/x86_64/libnone.so"] {
        let error = refused(&member_path(&fixture, member));
        let none = backsight_files::Error::NoMember;
        assert_eq!(*error.cause(), Cause::File(none), "{member}");
        assert_eq!(error.reason(), Reason::Unreadable);
    }
    let whole = refused(&archive);
    let not_elf = Cause::Elf(backsight_elf::Error::NotElf);
    assert_eq!(*whole.cause(), not_elf, "the archive itself is no module");
    let mut bytes = std::fs::read(&archive).expect("there");
    bytes.truncate(bytes.len() - 30);
    std::fs::write(&archive, bytes).expect("written");
    let cut = refused(&member_path(&fixture, MEMBERS[0]));
    let damaged = backsight_files::Error::DamagedArchive;
    assert_eq!(*cut.cause(), Cause::File(damaged));
}
