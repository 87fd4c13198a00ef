//! The ioctl, the live text, the saved text and a naive scan give the same answers.

use std::fs;
use std::ops::Range;

use backsight_normalize::{
    AbsAddr, Backend, Normalized, Options, Outcome, Reason, Session, Snapshot, normalize,
    normalize_snapshot,
};
use backsight_types::ModuleKind;
use testkit::child::Child;
use testkit::kernel::{Ioctl, ioctl};
use testkit::naive::{self, Found};
use testkit::tools::{Load, readelf_build_id, readelf_segments, tool};

/// Adds a mapping to a process.
type Shape<'s> = dyn Fn(&mut Child) -> Range<u64> + 's;

/// Twenty processes with different mappings that do not change, and the files that they
/// map.
fn processes() -> (Vec<Child>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let own = std::env::current_exe().unwrap();
    testkit::copy("/bin/cat", at("a b\nc")).unwrap();
    testkit::copy("/bin/cat", at("x (deleted)")).unwrap();
    testkit::copy("/bin/cat", at("gone")).unwrap();
    fs::write(at("no-elf"), vec![1; 0x3000]).unwrap();
    let shapes: [&Shape<'_>; 10] = [
        &|child| child.map(&own, "r-xp"),
        &|child| child.anon("rwxp", 0x4000),
        &|child| child.memfd("jit", "r-xp", "/bin/cat"),
        &|child| child.sysv("r-xs", 0x2000),
        &|child| child.anon("rwxs", 0x2000),
        &|child| child.map(at("a b\nc"), "r-xp"),
        &|child| child.map(at("x (deleted)"), "--xp"),
        &|child| child.layout("/bin/ls", 400),
        &|child| child.gaps("/bin/ls", 100),
        &|child| child.map(at("no-elf"), "r-xs"),
    ];
    let children = (0..20).map(|n| {
        let mut child = Child::spawn();
        // Each has its own mixture of kinds of mappings: one, or two, or all of them.
        for (place, shape) in shapes.iter().enumerate() {
            if n == place || n / 2 == place || n == 19 {
                shape(&mut child);
            }
        }
        child.map(at("gone"), "r-xp");
        child.heap(0x2000);
        child
    });
    let children = children.collect();
    fs::remove_file(at("gone")).unwrap();
    (children, dir)
}

/// A random number generator with a fixed seed, so that failures are reproducible.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 20) % limit
    }
}

/// Addresses in VMAs, at their edges, in gaps, and at both ends of the address space.
fn addresses(text: &[u8], count: usize, random: &mut Random) -> Vec<AbsAddr> {
    let lines: Vec<_> = naive::lines(text).collect();
    let code: Vec<_> = lines.iter().filter(|line| line.perms[2] == b'x').collect();
    let one = |random: &mut Random| {
        let any = &lines[random.below(lines.len() as u64) as usize];
        let code = code[random.below(code.len() as u64) as usize];
        match random.below(12) {
            0 => any.start,
            1 => any.end,
            2 => any.end - 1,
            3 => any.start.wrapping_sub(1),
            4 => random.below(1 << 47),
            5 => any.start + random.below(any.end - any.start),
            6 => [0, u64::MAX, 1 << 47, naive::KERNEL, naive::KERNEL - 1][random.below(5) as usize],
            _ => code.start + random.below(code.end - code.start),
        }
    };
    (0..count).map(|_| AbsAddr(one(random))).collect()
}

/// Compares a result with the naive scan, address by address.
fn assert_naive(got: &Normalized, addrs: &[AbsAddr], want: &[Found], who: &str) {
    assert_eq!(got.outcomes.len(), addrs.len(), "{who}");
    for ((addr, outcome), want) in addrs.iter().zip(&got.outcomes).zip(want) {
        let unresolved = |reason| assert_eq!(*outcome, Outcome::Unresolved(reason), "{who} {addr}");
        let located = |kind, path: &[u8], offset| {
            let Outcome::Located {
                module,
                file_offset,
            } = *outcome
            else {
                panic!("{who} {addr}: {outcome:?}")
            };
            let module = &got.modules[module.as_usize()].module;
            let mut shown = module.path.clone();
            if module.deleted || module.path.starts_with(b"/memfd:") {
                shown.extend_from_slice(b" (deleted)");
            }
            assert_eq!(module.kind, kind, "{who} {addr}");
            assert_eq!(
                shown.escape_ascii().to_string(),
                path.escape_ascii().to_string(),
                "{who}"
            );
            assert_eq!(file_offset.0, offset, "{who} {addr}");
            module
        };
        match want {
            Found::Unmapped => unresolved(Reason::Unmapped),
            Found::NotExecutable => unresolved(Reason::NotExecutable),
            Found::Anonymous => unresolved(Reason::Anonymous),
            Found::Kernel => unresolved(Reason::Kernel),
            Found::Vdso { start } => {
                located(ModuleKind::Vdso, b"[vdso]", addr.0 - *start);
            }
            Found::Located { line, file_offset } => {
                let module = located(ModuleKind::File, &line.name, *file_offset);
                let device = (module.device.major, module.device.minor);
                assert_eq!(
                    (module.inode, device),
                    (line.inode, (line.major, line.minor)),
                    "{who}"
                );
            }
        }
    }
}

#[test]
fn ten_thousand_addresses_in_twenty_processes() {
    let (children, _dir) = processes();
    let mut random = Random(42);
    let mut compared = 0;
    for child in &children {
        let text = naive::text_of(child.pid()).unwrap();
        let mut addrs = addresses(&text, 500, &mut random);
        for sorted in [false, true] {
            if sorted {
                addrs.sort_unstable();
            }
            let want: Vec<_> = addrs
                .iter()
                .map(|addr| naive::find(&text, addr.0))
                .collect();
            let by = |backend| {
                normalize(
                    child.pid(),
                    &addrs,
                    Options::default().with_backend(backend),
                )
                .unwrap()
            };
            let by_text = by(Backend::Text);
            assert_naive(&by_text, &addrs, &want, "text");
            if ioctl() == Ioctl::Answers {
                let by_ioctl = by(Backend::Ioctl);
                assert_naive(&by_ioctl, &addrs, &want, "ioctl");
                assert_same(&by_ioctl, &by_text);
            }
            let saved = Snapshot::parse(&text).unwrap();
            let by_saved = normalize_snapshot(&saved, &addrs).unwrap();
            assert_naive(&by_saved, &addrs, &want, "saved");
        }
        compared += addrs.len();
    }
    assert_eq!(compared, 10_000);
}

/// Compares outcomes and their modules, field for field. Modules are numbered in the
/// order in which they are found; by text, that is in order of address.
fn assert_same(one: &Normalized, other: &Normalized) {
    let resolved = |of: &Normalized, outcome: Outcome| match outcome {
        Outcome::Located {
            module,
            file_offset,
        } => {
            let mut module = of.modules[module.as_usize()].module.clone();
            if !testkit::is_root() && module.unreadable.is_some() {
                // Without map_files, a file without a path cannot be read. Then only the
                // kernel can give the build ID, by ioctl.
                module.build_id = None;
            }
            Ok((module, file_offset))
        }
        Outcome::Unresolved(reason) => Err(reason),
        other => panic!("{other:?}"),
    };
    for (a, b) in one.outcomes.iter().zip(&other.outcomes) {
        assert_eq!(resolved(one, *a), resolved(other, *b));
    }
    assert_eq!(one.modules.len(), other.modules.len());
}

#[test]
fn virtual_offsets_and_build_ids_are_readelfs() {
    if tool("readelf").is_none() {
        return testkit::skip("readelf is not installed");
    }
    let (children, _dir) = processes();
    let mut random = Random(7);
    let mut compared = 0;
    let mut oracle = std::collections::HashMap::new();
    for child in &children {
        let text = naive::text_of(child.pid()).unwrap();
        let addrs = addresses(&text, 500, &mut random);
        let got = normalize(child.pid(), &addrs, Options::default()).unwrap();
        for outcome in &got.outcomes {
            let Outcome::Located {
                module: index,
                file_offset,
            } = *outcome
            else {
                continue;
            };
            let module = &got.modules[index.as_usize()].module;
            let path = std::path::PathBuf::from(module.path_lossy().into_owned());
            if module.deleted || module.kind == ModuleKind::Vdso || !path.is_file() {
                continue;
            }
            let (segments, build_id) = oracle.entry(path.clone()).or_insert_with(|| {
                (
                    readelf_segments(&path).unwrap(),
                    readelf_build_id(&path).unwrap(),
                )
            });
            // Executable segments take precedence, as documented: segments may share
            // bytes of the file.
            let virt_of = |segment: &Load| {
                let into = file_offset.0.checked_sub(segment.offset)?;
                (into < segment.file_size).then_some(segment.virt + into)
            };
            let code = segments
                .iter()
                .filter(|segment| segment.flags.contains('E'));
            let by_readelf = code.chain(&*segments).find_map(virt_of);
            let virt = got.virt_offset(index, file_offset).map(|virt| virt.0);
            assert_eq!(virt, by_readelf, "{path:?} {file_offset}");
            assert_eq!(
                module.build_id.map(|id| id.to_string()),
                *build_id,
                "{path:?}"
            );
            compared += 1;
        }
    }
    assert!(
        compared > 3000,
        "only {compared} addresses were located in files"
    );
}

#[test]
fn a_batch_is_its_addresses_one_by_one_in_any_order() {
    let mut child = Child::spawn();
    child.layout("/bin/ls", 100);
    child.anon("rwxp", 0x2000);
    let text = naive::text_of(child.pid()).unwrap();
    let mut addrs = addresses(&text, 300, &mut Random(3));
    let options = || Options::bare();
    let mut one_by_one = Session::open(child.pid(), options()).unwrap();
    for _ in 0..3 {
        let batch = normalize(child.pid(), &addrs, options()).unwrap();
        for (addr, whole) in addrs.iter().zip(&batch.outcomes) {
            let mut alone = Vec::new();
            one_by_one.normalize(&[*addr], &mut alone).unwrap();
            match (alone[0], *whole) {
                (
                    Outcome::Located {
                        module: a,
                        file_offset: at_a,
                    },
                    Outcome::Located {
                        module: b,
                        file_offset: at_b,
                    },
                ) => {
                    let of_a = &one_by_one.modules()[a.as_usize()].module;
                    let of_b = &batch.modules[b.as_usize()].module;
                    assert_eq!((of_a, at_a), (of_b, at_b), "{addr}");
                }
                (alone, whole) => assert_eq!(alone, whole, "{addr}"),
            }
        }
        addrs.rotate_left(101);
        addrs.swap(0, 7);
    }
}

#[test]
fn a_text_of_two_million_lines_streams_past() {
    // A reader that generates lines on demand, so that the text is never in memory.
    struct Lines(u64, Vec<u8>, usize);
    impl std::io::Read for Lines {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            if self.2 == self.1.len() && self.0 < 2_000_000 {
                let start = 0x10_0000 + self.0 * 0x2000;
                self.1 = format!(
                    "{start:x}-{:x} r-xp 0 08:01 {} /lib/{}\n",
                    start + 0x1000,
                    self.0 + 1,
                    self.0
                )
                .into_bytes();
                (self.0, self.2) = (self.0 + 1, 0);
            }
            let rest = &self.1[self.2..];
            let count = rest.len().min(into.len());
            into[..count].copy_from_slice(&rest[..count]);
            self.2 += count;
            Ok(count)
        }
    }
    let addr = |line: u64, into: u64| AbsAddr(0x10_0000 + line * 0x2000 + into);
    let addrs = [
        addr(1_999_999, 5),
        addr(0, 0),
        addr(7, 0x1000),
        addr(1_000_000, 0xfff),
        AbsAddr(1),
    ];
    let text = std::io::BufReader::new(Lines(0, Vec::new(), 0));
    let got = backsight_normalize::normalize_text(text, &addrs).unwrap();
    let paths: Vec<_> = got
        .modules
        .iter()
        .map(|m| m.module.path_lossy().into_owned())
        .collect();
    assert_eq!(
        paths,
        ["/lib/1999999", "/lib/0", "/lib/1000000"],
        "and no other module is kept"
    );
    assert_eq!(got.outcomes[2], Outcome::Unresolved(Reason::Unmapped));
    assert_eq!(got.outcomes[4], Outcome::Unresolved(Reason::Unmapped));
}
