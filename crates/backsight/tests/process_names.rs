//! A process is called what its main thread was called last, whichever of its threads was sampled
//! first; a thread, what it was called when it was sampled.

use backsight::types::AbsAddr;
use backsight::types::trace::{Event, EventType, Facts, SampleRecord, ThreadChange, ThreadRecord};
use backsight::{ModuleFiles, Profile, ProfileBuilder, RecordingOptions};

const PID: u32 = 42;
const WORKER: u32 = 43;

/// What happens to a process that begins as `server`, and whose main thread is renamed `main`.
#[derive(Clone, Copy)]
enum Step {
    Sample(u32),
    Rename,
}
use Step::{Rename, Sample};

fn profile_of(steps: &[Step]) -> Profile {
    let mut facts = Facts::default();
    facts.events.push(EventType::new("cpu-clock"));
    let (options, files) = (RecordingOptions::default(), ModuleFiles::default());
    let mut builder = ProfileBuilder::new(&facts, options, files).unwrap();
    let named = |time_ns, tid, name: &str| {
        let change = ThreadChange::Named(name.as_bytes().to_vec());
        Event::Thread(ThreadRecord {
            time_ns,
            pid: PID,
            tid,
            change,
        })
    };
    builder.take(named(0, PID, "server"));
    builder.take(named(0, WORKER, "worker"));
    for (step, time_ns) in steps.iter().zip(1..) {
        builder.take(match step {
            Rename => named(time_ns, PID, "main"),
            Sample(tid) => {
                let mut sample = SampleRecord::new(PID, *tid);
                (sample.time_ns, sample.pc) = (Some(time_ns), Some(AbsAddr(0x1000)));
                Event::Sample(sample)
            }
        });
    }
    builder.finish(&facts).profile
}

/// The names of the processes, and those of the sampled threads.
fn names(profile: &Profile) -> (Vec<&str>, Vec<&str>) {
    let text = |name| profile.strings.get(name).unwrap();
    let processes = profile.processes.iter().map(|it| text(it.name.unwrap()));
    let threads = profile.threads.iter().map(|it| text(it.name.unwrap()));
    (processes.collect(), threads.collect())
}

#[test]
fn a_process_is_called_what_its_main_thread_was_called_last() {
    let (main, worker) = (Sample(PID), Sample(WORKER));
    let cases: [(&[Step], &[&str]); 5] = [
        (&[main, Rename, worker], &["server", "worker"]),
        (&[worker, Rename, main], &["worker", "main"]),
        (&[Rename, worker, main], &["worker", "main"]),
        (&[main, Rename, main], &["server", "main"]),
        (&[worker, Rename], &["worker"]),
    ];
    for (steps, threads) in cases {
        let profile = profile_of(steps);
        assert_eq!(names(&profile), (vec!["main"], threads.to_vec()));
    }
}
