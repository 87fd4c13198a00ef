//! A process that maps and unmaps memory during queries, and one that ends meanwhile.
//!
//! Each slot of a region can have two files at two offsets, or nothing, or memory that is
//! not executable. A thread changes slots at full speed. So each answer can be compared
//! with the states that are possible.
#![expect(unsafe_code, reason = "a test that remaps its own memory")]

use std::fs;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use backsight_normalize::{
    AbsAddr, Backend, Error, Options, Outcome, Reason, Session, Trust, normalize,
};
use testkit::child::Child;
use testkit::kernel::{Ioctl, ioctl};

const PAGE: usize = 0x1000;
const SLOTS: usize = 64;
/// The size of a slot in pages. Adjacent slots have different files, so that VMAs never
/// merge.
const SLOT: usize = 4 * PAGE;

fn backends() -> Vec<Backend> {
    match ioctl() {
        Ioctl::Answers => vec![Backend::Ioctl, Backend::Text],
        Ioctl::Refused(_) => vec![Backend::Text],
    }
}

/// Memory that only the test uses, and the two files of each slot.
struct Region {
    start: u64,
    files: Vec<[fs::File; 2]>,
    _dir: tempfile::TempDir,
}

/// The offset from which the second file of a slot is mapped.
const SECOND_OFFSET: u64 = 0x2000;

impl Region {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = |slot: usize, which: usize| {
            let path = dir.path().join(format!("slot-{slot}-{which}"));
            fs::write(&path, vec![0; SLOT + PAGE * 2]).unwrap();
            fs::File::open(path).unwrap()
        };
        let files = (0..SLOTS)
            .map(|slot| [file(slot, 0), file(slot, 1)])
            .collect();
        // SAFETY: a new private mapping without a file, placed by the kernel.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                SLOTS * SLOT,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert_ne!(start, libc::MAP_FAILED);
        Self {
            start: start as u64,
            files,
            _dir: dir,
        }
    }

    /// Changes a slot to one of its five states.
    fn change(&self, slot: usize, state: u64) {
        let at = (self.start as usize + slot * SLOT) as *mut libc::c_void;
        let map = |which: usize, offset: u64, perms: i32| {
            let (fd, flags) = (
                self.files[slot][which].as_raw_fd(),
                libc::MAP_PRIVATE | libc::MAP_FIXED,
            );
            // SAFETY: the slot lies in the region, which nothing else uses and which no
            // Rust reference points into. The file is longer than the mapping.
            unsafe { libc::mmap(at, SLOT, perms, flags, fd, offset as i64) }
        };
        let done = match state {
            0 => map(0, 0, libc::PROT_READ | libc::PROT_EXEC),
            1 => map(1, SECOND_OFFSET, libc::PROT_READ | libc::PROT_EXEC),
            2 => map(0, 0, libc::PROT_READ),
            // SAFETY: as above. If another mapping were placed in the gap, the next
            // change would replace it with MAP_FIXED.
            3 => unsafe {
                libc::mprotect(at, SLOT, libc::PROT_NONE);
                at
            },
            _ => map(1, SECOND_OFFSET, libc::PROT_EXEC),
        };
        assert_ne!(done, libc::MAP_FAILED);
    }

    /// Returns whether an answer fits one of the states that the slot of `addr` can have.
    fn allows(&self, session: &Session, addr: AbsAddr, outcome: Outcome) -> bool {
        let into = addr.0 - self.start;
        let (slot, into_slot) = (into as usize / SLOT, into % SLOT as u64);
        match outcome {
            Outcome::Unresolved(reason) => {
                matches!(reason, Reason::Unmapped | Reason::NotExecutable)
            }
            Outcome::Located {
                module,
                file_offset,
            } => {
                let path = session.modules()[module.as_usize()]
                    .module
                    .path_lossy()
                    .into_owned();
                (path.ends_with(&format!("/slot-{slot}-0")) && file_offset.0 == into_slot)
                    || (path.ends_with(&format!("/slot-{slot}-1"))
                        && file_offset.0 == into_slot + SECOND_OFFSET)
            }
            other => panic!("{other:?}"),
        }
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 24) % limit
    }
}

#[test]
fn a_million_addresses_of_a_changing_process_are_never_another_modules() {
    let region = Region::new();
    let done = AtomicBool::new(false);
    let changes = AtomicU64::new(0);
    let (mut asked, mut located, mut wrong, mut torn) = (0_u64, 0_u64, 0_u64, 0_u64);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = Random(1);
            while !done.load(Ordering::Relaxed) {
                region.change(random.below(SLOTS as u64) as usize, random.below(5));
                changes.fetch_add(1, Ordering::Relaxed);
            }
        });
        let mut random = Random(2);
        let mut outcomes = Vec::new();
        for backend in backends() {
            let options = Options::bare()
                .with_backend(backend)
                .with_trust(Trust::Recheck);
            let mut session = Session::open_self(options).unwrap();
            let batches = if backend == Backend::Text { 300 } else { 1200 };
            for nth in 0..batches {
                let mut addrs: Vec<AbsAddr> = (0..1000)
                    .map(|_| AbsAddr(region.start + random.below((SLOTS * SLOT) as u64)))
                    .collect();
                if nth % 2 == 0 {
                    addrs.sort_unstable();
                }
                match session.normalize(&addrs, &mut outcomes) {
                    Ok(()) => {}
                    // A text that is torn in all of several readings gives this error.
                    Err(Error::Torn) if backend == Backend::Text => {
                        torn += 1;
                        continue;
                    }
                    Err(error) => panic!("{backend:?}: {error}"),
                }
                for (addr, outcome) in addrs.iter().zip(&outcomes) {
                    asked += 1;
                    located += u64::from(matches!(outcome, Outcome::Located { .. }));
                    wrong += u64::from(!region.allows(&session, *addr, *outcome));
                }
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    let changes = changes.into_inner();
    println!(
        "{asked} addresses, {located} located, {wrong} wrong, {torn} texts torn, {changes} changes"
    );
    assert_eq!(wrong, 0, "of {asked}");
    assert!(asked >= 1_000_000 || ioctl() != Ioctl::Answers, "{asked}");
    assert!(
        located > asked / 10 && changes > 1000,
        "{located} located, {changes} changes"
    );
}

#[test]
fn a_process_that_ends_in_mid_batch_leaves_typed_outcomes() {
    let (mut whole, mut cut, mut none) = (0, 0, 0);
    for backend in backends() {
        for nth in 0..60_u64 {
            let mut child = Child::spawn();
            let range = child.gaps("/bin/cat", 200);
            let addrs: Vec<AbsAddr> = (0..20_000)
                .map(|n| AbsAddr(range.start + (n * 7919 * 16) % (range.end - range.start)))
                .collect();
            let pid = child.pid();
            let options = Options::bare().with_backend(backend);
            let got = std::thread::scope(|scope| {
                let asking = scope.spawn(|| normalize(pid, &addrs, options));
                // The process ends at some time within the batch; nothing is asserted
                // about the time.
                for _ in 0..nth * 200 {
                    std::hint::spin_loop();
                }
                if nth % 2 == 0 {
                    child.kill()
                } else {
                    child.exec_cat()
                }
                asking.join().unwrap()
            });
            match got {
                Ok(got) => {
                    assert_eq!(got.outcomes.len(), addrs.len());
                    let lost = Outcome::Unresolved(Reason::ProcessGone);
                    let lost = got
                        .outcomes
                        .iter()
                        .filter(|outcome| **outcome == lost)
                        .count();
                    *if lost == 0 { &mut whole } else { &mut cut } += 1;
                }
                Err(Error::ProcessGone | Error::NoSuchProcess) => none += 1,
                Err(error) => panic!("{backend:?}: {error}"),
            }
        }
    }
    println!("{whole} whole, {cut} cut short, {none} gone before the first answer");
    assert_eq!(whole + cut + none, 60 * backends().len());
}
