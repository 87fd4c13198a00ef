//! Compares replayed traces with a naive search for the last record about an address.

mod trace;

use backsight_normalize::{
    AbsAddr, AbsRange, CapturedAddrs, FileOffset, Mmap, Outcome, ProcessChange, ProcessRecord,
    Reason, Replayed, replay,
};
use backsight_types::{BuildId, Perms};
use trace::{PAGE, at, pages, sample};

fn code(range: AbsRange, offset: u64, name: &str) -> Mmap {
    Mmap {
        range,
        offset: FileOffset(offset),
        perms: Perms::READ | Perms::EXECUTE,
        inode: u64::from(name.as_bytes().last().copied().unwrap_or(0)),
        name: name.into(),
        ..Mmap::default()
    }
}

/// Returns each outcome as `path+offset` or as its reason.
fn shown(got: &Replayed) -> Vec<Vec<String>> {
    let one = |outcome: &Outcome| match *outcome {
        Outcome::Located {
            module,
            file_offset,
        } => {
            let path = got.modules[module.as_usize()]
                .module
                .path_lossy()
                .into_owned();
            format!("{path}+{file_offset}")
        }
        Outcome::Unresolved(reason) => reason.to_string(),
        other => panic!("{other:?}"),
    };
    got.outcomes
        .iter()
        .map(|of| of.iter().map(one).collect())
        .collect()
}

#[test]
fn a_mapping_belongs_to_the_time_of_the_sample() {
    let records = [
        at(10, 1, ProcessChange::Mmap(code(pages(1, 3), 0, "/a"))),
        at(30, 1, ProcessChange::Mmap(code(pages(2, 4), 0x5000, "/b"))),
        at(50, 1, ProcessChange::Munmap(pages(1, 2))),
        at(60, 1, ProcessChange::Mprotect(pages(2, 3), Perms::READ)),
        at(70, 1, ProcessChange::Exec),
        at(80, 1, ProcessChange::Exit),
    ];
    let addrs = [0x1010, 0x2010, 0x3010];
    let samples: Vec<CapturedAddrs> = [5, 10, 20, 30, 40, 55, 65, 75, 85]
        .map(|time| sample(time, 1, &addrs))
        .to_vec();
    let want = [
        ["unmapped", "unmapped", "unmapped"],
        ["/a+0x10", "/a+0x1010", "unmapped"],
        ["/a+0x10", "/a+0x1010", "unmapped"],
        ["/a+0x10", "/b+0x5010", "/b+0x6010"],
        ["/a+0x10", "/b+0x5010", "/b+0x6010"],
        ["unmapped", "/b+0x5010", "/b+0x6010"],
        ["unmapped", "not-executable", "/b+0x6010"],
        ["unmapped", "unmapped", "unmapped"],
        ["process-gone", "process-gone", "process-gone"],
    ];
    assert_eq!(shown(&replay(&records, &samples)), want);
    // The order of the input does not matter.
    let backwards: Vec<CapturedAddrs> = samples.into_iter().rev().collect();
    let mut records = records.to_vec();
    records.reverse();
    let mut got = shown(&replay(&records, &backwards));
    got.reverse();
    assert_eq!(got, want);
}

#[test]
fn a_fork_has_what_its_parent_had_then() {
    let records = [
        at(10, 1, ProcessChange::Mmap(code(pages(1, 2), 0, "/a"))),
        at(20, 2, ProcessChange::Fork { parent: 1 }),
        at(30, 1, ProcessChange::Munmap(pages(1, 2))),
        at(40, 2, ProcessChange::Exit),
        at(50, 2, ProcessChange::Fork { parent: 1 }),
    ];
    let samples = [
        sample(25, 2, &[0x1000]),
        sample(35, 2, &[0x1000]),
        sample(45, 2, &[0x1000]),
        sample(55, 2, &[0x1000]),
    ];
    let want = [["/a+0x0"], ["/a+0x0"], ["process-gone"], ["unmapped"]];
    assert_eq!(shown(&replay(&records, &samples)), want);
}

#[test]
fn addresses_without_file_have_their_true_reason() {
    let anon = Mmap {
        inode: 0,
        name: b"//anon".to_vec(),
        ..code(pages(1, 2), 0, "/x")
    };
    let nameless = Mmap {
        inode: 0,
        name: Vec::new(),
        ..code(pages(3, 4), 0, "/x")
    };
    let vdso = Mmap {
        inode: 0,
        name: b"[vdso]".to_vec(),
        ..code(pages(5, 6), 0, "/x")
    };
    let forged = code(pages(7, 9), u64::MAX - 0x1800, "/forged");
    let records = [anon, nameless, vdso, forged].map(|m| at(1, 1, ProcessChange::Mmap(m)));
    let samples = [
        sample(2, 1, &[0x1000, 0x3000, 0x5010, 0x7000, 0, u64::MAX]),
        sample(2, 9, &[0x1000, u64::MAX]),
        sample(2, 1, &[]),
    ];
    let want: [&[&str]; 3] = [
        &[
            "anonymous",
            "anonymous",
            "[vdso]+0x10",
            "unreadable",
            "unmapped",
            "kernel",
        ],
        &["unmapped", "kernel"],
        &[],
    ];
    assert_eq!(shown(&replay(&records, &samples)), want);
}

#[test]
fn a_module_is_what_its_records_say_it_is() {
    let id = |byte| BuildId::from_bytes(&[byte; 20]).ok();
    let with = |range, id, name| Mmap {
        inode: 0,
        build_id: id,
        ..code(range, 0, name)
    };
    let records = [
        at(1, 1, ProcessChange::Mmap(with(pages(1, 2), id(1), "/lib"))),
        at(2, 2, ProcessChange::Mmap(with(pages(8, 9), id(1), "/lib"))),
        at(3, 1, ProcessChange::Mmap(with(pages(2, 3), id(2), "/lib"))),
        at(
            4,
            1,
            ProcessChange::Mmap(with(pages(3, 4), id(2), "/gone (deleted)")),
        ),
    ];
    let samples = [
        sample(9, 1, &[0x1000, 0x2000, 0x3000]),
        sample(9, 2, &[0x8000]),
    ];
    let got = replay(&records, &samples);
    let ids: Vec<_> = got
        .modules
        .iter()
        .map(|m| (m.module.build_id, m.module.deleted))
        .collect();
    assert_eq!(ids, [(id(1), false), (id(2), false), (id(2), true)]);
    let module = |outcome: Outcome| match outcome {
        Outcome::Located { module, .. } => module.0,
        Outcome::Unresolved(reason) => panic!("{reason}"),
        other => panic!("{other:?}"),
    };
    let modules: Vec<Vec<u32>> = got
        .outcomes
        .iter()
        .map(|of| of.iter().copied().map(module).collect())
        .collect();
    assert_eq!(modules, [vec![0, 1, 2], vec![0]]);
}

/// The naive answer: from the last record before `limit` that concerns `addr`.
fn naive(records: &[ProcessRecord], limit: usize, pid: u32, addr: u64) -> String {
    let (mut perms, mut later) = (None, false);
    for (place, record) in records.iter().enumerate().take(limit).rev() {
        if record.pid != pid {
            continue;
        }
        let inside = |range: &AbsRange| range.contains(AbsAddr(addr));
        match &record.change {
            ProcessChange::Mmap(mapping) if inside(&mapping.range) => {
                if !perms.unwrap_or(mapping.perms).is_executable() {
                    return Reason::NotExecutable.to_string();
                }
                let offset = addr - mapping.range.start.0 + mapping.offset.0;
                return format!("{}+{offset:#x}", String::from_utf8_lossy(&mapping.name));
            }
            ProcessChange::Munmap(range) if inside(range) => break,
            ProcessChange::Mprotect(range, now) if inside(range) => perms = perms.or(Some(*now)),
            ProcessChange::Fork { parent } => {
                // Later mprotect records apply too, also those of the parent.
                let inherited = naive(records, place, *parent, addr);
                return match perms {
                    None => inherited,
                    Some(_) if inherited == "unmapped" || inherited == "process-gone" => {
                        "unmapped".to_owned()
                    }
                    Some(now) if !now.is_executable() => Reason::NotExecutable.to_string(),
                    Some(_) => naive_ignoring_perms(records, place, *parent, addr),
                }
                .replace("process-gone", "unmapped");
            }
            ProcessChange::Exec => break,
            // Records after an exit are of another process with the same ID.
            ProcessChange::Exit if later => break,
            ProcessChange::Exit => return Reason::ProcessGone.to_string(),
            _ => {}
        }
        later = true;
    }
    Reason::Unmapped.to_string()
}

fn naive_ignoring_perms(records: &[ProcessRecord], limit: usize, pid: u32, addr: u64) -> String {
    let open: Vec<ProcessRecord> = records
        .iter()
        .map(|record| {
            let mut record = record.clone();
            match &mut record.change {
                ProcessChange::Mmap(mapping) => mapping.perms = Perms::EXECUTE,
                ProcessChange::Mprotect(_, perms) => *perms = Perms::EXECUTE,
                _ => {}
            }
            record
        })
        .collect();
    naive(&open, limit, pid, addr)
}

#[test]
fn long_traces_agree_with_the_naive_answer() {
    let mut seed = 11_u64;
    let mut below = |limit: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 24) % limit
    };
    let mut compared = 0;
    for _ in 0..40 {
        let mut records = Vec::new();
        let mut samples = Vec::new();
        for time in 0..200_u64 {
            let pid = below(4) as u32 + 1;
            let from = below(40);
            let range = pages(from, from + 1 + below(8));
            let perms = Perms::from_bits(below(16) as u8);
            records.push(at(
                2 * time,
                pid,
                match below(20) {
                    0..=8 => {
                        let name = ["/a", "/b", "/c"][below(3) as usize];
                        ProcessChange::Mmap(Mmap {
                            perms,
                            ..code(range, below(8) * PAGE, name)
                        })
                    }
                    9..=12 => ProcessChange::Munmap(range),
                    13..=15 => ProcessChange::Mprotect(range, perms),
                    16..=17 => ProcessChange::Fork {
                        parent: below(4) as u32 + 1,
                    },
                    18 => ProcessChange::Exec,
                    _ => ProcessChange::Exit,
                },
            ));
            let addrs: Vec<u64> = (0..20).map(|_| below(50 * PAGE)).collect();
            samples.push(sample(2 * time + 1, below(4) as u32 + 1, &addrs));
        }
        let got = shown(&replay(&records, &samples));
        for (limit, (sample, got)) in samples.iter().zip(&got).enumerate() {
            for (addr, got) in sample.addrs.iter().zip(got) {
                let want = naive(&records, limit + 1, sample.pid, addr.0);
                assert_eq!(
                    *got,
                    want,
                    "{addr} of {} after {:?}",
                    sample.pid,
                    &records[..=limit]
                );
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 160_000);
}
