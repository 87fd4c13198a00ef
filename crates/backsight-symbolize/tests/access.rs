//! Which files are opened, which are mapped, and which are refused.

mod common;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use backsight_files::{Error as Refused, NonRegularKind};
use backsight_symbolize::{Access, Cause, Error, ModuleInput, Options, Symbolizer};
use backsight_types::Reason;
use common::{Fixture, brief, dwarf, find};
use testkit::elf::{Shape, Symbol};

fn elf() -> Vec<u8> {
    let elf = dwarf::elf(Shape::ELF64_LITTLE, &[]);
    elf.symbols(&[Symbol::function("symbol", 0x1000, 0x100)])
        .build()
}

#[test]
fn only_regular_files_are_opened_and_none_is_waited_for() {
    let fixture = Fixture::new();
    fixture.must("mkfifo", &["fifo"]);
    let cases = [
        (
            fixture.path("fifo"),
            Refused::NotRegular(NonRegularKind::Fifo),
        ),
        (
            fixture.path("."),
            Refused::NotRegular(NonRegularKind::Directory),
        ),
        (
            "/dev/null".into(),
            Refused::NotRegular(NonRegularKind::Device),
        ),
        (
            fixture.path("absent"),
            std::io::Error::from_raw_os_error(2).into(),
        ),
    ];
    for (path, want) in cases {
        let want = Error::new("open", Some(&path), want);
        assert_eq!(ModuleInput::open(&path).err(), Some(want));
    }
}

#[test]
fn an_open_file_that_is_not_regular_is_refused_too() {
    let symbolizer = Symbolizer::new(Options::default());
    let file = std::fs::File::open("/dev/null").expect("a device");
    let module = symbolizer.add(ModuleInput::from(file), None, None);
    let want = Error::new("read", None, Refused::NotRegular(NonRegularKind::Device));
    assert_eq!(symbolizer.load(module), Err(want));
    assert_eq!(find(&symbolizer, module, 0x1000), Err(Reason::Unreadable));
}

#[test]
fn every_access_gives_the_same_answer() {
    let fixture = Fixture::new();
    let path = fixture.write("a", elf());
    for access in [Access::Auto, Access::Map, Access::Read] {
        let options = Options::default().with_access(access);
        let (symbolizer, module) = common::symbolizer_with(options, &path);
        assert_eq!(
            brief(&find(&symbolizer, module, 0x1000)),
            "symbol@?",
            "{access:?}"
        );
    }
}

#[test]
fn a_file_that_others_can_write_is_read_and_so_survives_its_truncation() {
    let fixture = Fixture::new();
    let path = fixture.write("a", elf());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).expect("our file");
    let (symbolizer, module) = common::symbolizer_with(Options::default(), &path);
    symbolizer.load(module).expect("readable");
    truncate(&path);
    // Were it mapped, this would be SIGBUS.
    assert_eq!(brief(&find(&symbolizer, module, 0x1000)), "symbol@?");
}

fn truncate(path: &Path) {
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(path)
        .expect("our file");
    file.set_len(0).expect("our file");
}

#[test]
fn a_file_larger_than_the_limit_is_not_read() {
    let fixture = Fixture::new();
    let path = fixture.write("a", elf());
    let mut options = Options::default().with_access(Access::Read);
    options.limits.file_bytes = 100;
    let (symbolizer, module) = common::symbolizer_with(options, &path);
    let want = Error::new("read", Some(&path), Cause::TooLarge { limit: 100 });
    assert_eq!(symbolizer.load(module), Err(want));
    assert_eq!(find(&symbolizer, module, 0x1000), Err(Reason::Limit));
}

#[test]
fn other_files_are_refused_by_name() {
    let cases = [
        (
            "empty",
            Vec::new(),
            Cause::Elf(backsight_elf::Error::NotElf),
        ),
        (
            "a text",
            b"#!/bin/sh\n".to_vec(),
            Cause::Elf(backsight_elf::Error::NotElf),
        ),
    ];
    for (name, bytes, want) in cases {
        let symbolizer = Symbolizer::new(Options::default());
        let module = symbolizer.add(ModuleInput::Bytes(bytes.into()), None, None);
        assert_eq!(symbolizer.load(module), Err(want.into()), "{name}");
        assert_eq!(
            find(&symbolizer, module, 0x1000),
            Err(Reason::Unreadable),
            "{name}"
        );
    }
}
