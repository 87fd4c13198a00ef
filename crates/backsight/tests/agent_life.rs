//! What a profile builder keeps over the life of an agent: bytes of the heap, counted.

#![expect(unsafe_code, reason = "a counting allocator is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashSet;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::sync::{Mutex, PoisonError};

use backsight::types::trace::{
    ByteOrder, Event, EventType, Facts, KERNEL_PID, Mmap, ProcessChange, ProcessRecord,
    SampleRecord, ThreadChange, ThreadRecord, marker,
};
use backsight::types::{AbsAddr, AbsRange, FileOffset, Perms};
use backsight::{ModuleFiles, Profile, ProfileBuilder, RecordingOptions};

/// The bytes of all threads: what one has allocated, another may free.
static LIVE: AtomicIsize = AtomicIsize::new(0);

/// Held by the test that counts.
static ALONE: Mutex<()> = Mutex::new(());

#[global_allocator]
static COUNTING: Counting = Counting;

struct Counting;

fn note(bytes: usize, sign: isize) {
    let bytes = isize::try_from(bytes).unwrap_or(isize::MAX);
    LIVE.fetch_add(sign * bytes, Ordering::Relaxed);
}

// SAFETY: every call is forwarded unchanged to the system allocator, which fulfils the
// contract. Counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size(), 1);
        // SAFETY: the caller fulfils the contract of the trait.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(layout.size(), -1);
        note(size, 1);
        // SAFETY: the caller fulfils the contract of the trait; `memory` is from the system allocator.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        note(layout.size(), -1);
        // SAFETY: the caller fulfils the contract of the trait; `memory` is from the system allocator.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// Processes of an agent's life.
const LIFE: u32 = 100_000;
/// The parent of all, which lives on.
const PARENT: u32 = 2;
/// Processes whose samples are in one profile.
const INTERVAL: u32 = 1000;

const PROGRAM: u64 = 0x5555_5555_4000;
const LIBRARY: u64 = 0x7fff_f7c0_0000;
const MADE: u64 = 0x7fff_d000_0000;

/// What the processes of a life are.
#[derive(Clone, Copy)]
struct Life {
    processes: u32,
    /// How many programs there are.
    programs: u32,
    /// How many names of threads.
    names: u32,
    /// Whether they make code.
    makes_code: bool,
    /// Whether waits are recorded.
    off_cpu: bool,
}

struct Agent {
    life: Life,
    builder: ProfileBuilder,
    facts: Facts,
    time: u64,
}

impl Agent {
    fn new(life: Life) -> Self {
        let mut facts = Facts::default();
        facts.events.push(EventType::new("cpu-clock"));
        if life.off_cpu {
            let mut waits = EventType::new("context-switches");
            waits.is_of_switches = true;
            facts.events.push(waits);
        }
        let options = RecordingOptions::default().with_summed(true);
        let builder = ProfileBuilder::new(&facts, options, ModuleFiles::default()).unwrap();
        let mut agent = Self {
            life,
            builder,
            facts,
            time: 0,
        };
        let kernel = mapping(0xffff_ffff_8100_0000, "[kernel.kallsyms]_text");
        agent.change(KERNEL_PID, ProcessChange::Mmap(kernel));
        agent.thread(PARENT, ThreadChange::Named(b"sh".to_vec()));
        agent.change(
            PARENT,
            ProcessChange::Mmap(mapping(LIBRARY, "/lib/libc.so")),
        );
        agent
    }

    fn change(&mut self, pid: u32, change: ProcessChange) {
        self.time += 1;
        let time_ns = self.time;
        self.builder.take(Event::Process(ProcessRecord {
            time_ns,
            pid,
            change,
        }));
    }

    fn thread(&mut self, pid: u32, change: ThreadChange) {
        self.time += 1;
        self.builder.take(Event::Thread(ThreadRecord {
            time_ns: self.time,
            pid,
            tid: pid,
            change,
        }));
    }

    fn sample(&mut self, pid: u32, event: usize, addrs: &[u64]) {
        self.time += 1;
        let words = [&[marker::USER][..], addrs].concat();
        let chain: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let mut sample = SampleRecord::new(pid, pid).with_chain(&chain, ByteOrder::NATIVE);
        sample.time_ns = Some(self.time);
        sample.pc = addrs.first().copied().map(AbsAddr);
        (sample.period, sample.event) = (1, event);
        self.builder.take(Event::Sample(sample));
    }

    /// A process that is forked, runs a program, is sampled, and ends.
    fn process(&mut self, number: u32) {
        let pid = 1000 + number;
        let Life {
            programs,
            names,
            makes_code,
            off_cpu,
            ..
        } = self.life;
        self.change(pid, ProcessChange::Fork { parent: PARENT });
        self.thread(
            pid,
            ThreadChange::Began {
                parent_pid: PARENT,
                parent_tid: PARENT,
            },
        );
        self.change(pid, ProcessChange::Exec);
        let name = format!("thread-{}", number % names);
        self.thread(pid, ThreadChange::Named(name.into_bytes()));
        let program = format!("/opt/programs/program-{}", number % programs);
        self.change(pid, ProcessChange::Mmap(mapping(PROGRAM, &program)));
        self.change(pid, ProcessChange::Mmap(mapping(LIBRARY, "/lib/libc.so")));
        if makes_code {
            self.change(pid, ProcessChange::Mmap(mapping(MADE, "//anon")));
            self.sample(pid, 0, &[MADE + u64::from(number % 64)]);
        }
        for nth in 0..2 {
            let at = PROGRAM + u64::from(number % 7) * 16 + nth;
            let chain = [
                LIBRARY + 0x300,
                at,
                PROGRAM + 0x800,
                LIBRARY + 0x100,
                PROGRAM,
            ];
            self.sample(pid, 0, &chain);
        }
        if off_cpu {
            self.sample(pid, 1, &[LIBRARY + 0x200]);
        }
        self.thread(pid, ThreadChange::Ended);
        self.change(pid, ProcessChange::Exit);
    }

    fn interval(&mut self) -> Profile {
        self.builder.take_profile(&self.facts)
    }
}

fn mapping(start: u64, name: &str) -> Mmap {
    Mmap {
        range: AbsRange {
            start: AbsAddr(start),
            end: AbsAddr(start + 0x1000),
        },
        offset: FileOffset(0),
        perms: Perms::READ | Perms::EXECUTE,
        inode: 1,
        name: name.into(),
        ..Mmap::default()
    }
}

/// Returns the most bytes that are kept at the end of an interval in the first half of a life, and
/// in the second.
fn kept(life: Life) -> [isize; 2] {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let before = LIVE.load(Ordering::Relaxed);
    let mut agent = Agent::new(life);
    let mut most = [0, 0];
    for number in 0..life.processes {
        agent.process(number);
        if number % INTERVAL == INTERVAL - 1 {
            let profile = agent.interval();
            assert!(profile.samples.len() >= 8, "{}", profile.samples.len());
            // Modules are right wherever they are.
            let paths: HashSet<&[u8]> = sampled_modules(&profile).collect();
            for past in 0..3 {
                let program = format!("/opt/programs/program-{}", (number - past) % life.programs);
                assert!(paths.contains(program.as_bytes()), "{program}");
            }
            assert!(paths.contains(&b"/lib/libc.so"[..]));
            drop(paths);
            drop(profile);
            let kept = LIVE.load(Ordering::Relaxed) - before;
            let half = &mut most[usize::from(number >= life.processes / 2)];
            *half = kept.max(*half);
        }
    }
    most
}

/// Returns the paths of the modules that stacks are in.
fn sampled_modules(profile: &Profile) -> impl Iterator<Item = &[u8]> {
    let modules = profile.locations.iter().filter_map(|it| it.module);
    modules.filter_map(|module| Some(&*profile.module(module)?.path))
}

#[track_caller]
fn is_flat(life: Life) {
    let [early, late] = kept(life);
    let said = format!("at most {early} bytes, then at most {late}");
    eprintln!("{said}");
    assert!(late <= early + early / 20, "{said}");
    assert!(late < 10 << 20, "{said}");
}

const FEW: Life = Life {
    processes: LIFE / 4,
    programs: 8,
    names: 8,
    makes_code: false,
    off_cpu: false,
};

#[test]
fn a_hundred_thousand_processes_leave_nothing() {
    is_flat(Life {
        processes: LIFE,
        ..FEW
    });
}

#[test]
fn names_of_threads_are_those_of_an_interval() {
    is_flat(Life {
        names: FEW.processes,
        ..FEW
    });
}

#[test]
fn programs_that_nobody_runs_any_more_are_forgotten() {
    is_flat(Life {
        programs: FEW.processes,
        ..FEW
    });
}

#[test]
fn code_that_processes_made_is_forgotten_with_them() {
    is_flat(Life {
        makes_code: true,
        ..FEW
    });
}

#[test]
fn ends_of_threads_are_forgotten() {
    is_flat(Life {
        off_cpu: true,
        ..FEW
    });
}
