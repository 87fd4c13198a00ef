//! Which threads a symbolizer starts: a process of its own, as threads are counted.

use std::num::NonZeroUsize;

use backsight_symbolize::{Answers, ModuleInput, Options, Place, Request, Symbolizer, Tier};
use backsight_types::{Lookup, VirtOffset};

/// Returns the names of the threads of this process.
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("/proc");
    // A thread may end between the listing and the reading.
    let name = |task: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
    };
    let names = tasks.filter_map(name);
    let mut names: Vec<String> = names.map(|name| name.trim().to_owned()).collect();
    names.sort();
    names
}

/// Three, also on a machine with as many processors: the global pool would add as many again.
#[test]
fn no_thread_is_started_that_was_not_asked_for() {
    let before = threads();
    let three = NonZeroUsize::new(3);
    let files = ["/proc/self/exe", "/bin/sh"];
    for tier in [Tier::Flat, Tier::Lazy, Tier::Auto] {
        let options = Options::default().with_tier(tier).with_threads(three);
        let symbolizer = Symbolizer::new(options);
        let modules = files.map(|path| {
            let input = ModuleInput::open(path.as_ref()).expect("a program");
            symbolizer.add(input, None, None)
        });
        assert_eq!(
            threads(),
            before,
            "modules are added on the caller's thread"
        );
        let request = |at: usize| {
            let place = Place::Virt(VirtOffset(0x1000 + 16 * at as u64));
            Request::new(modules[at % 2], place, Lookup::Exact)
        };
        let requests: Vec<Request> = (0..5_000).map(request).collect();
        for count in [1, 20, 5_000] {
            let some = &requests[..count];
            assert_eq!(symbolizer.symbolize(some).len(), count);
            symbolizer.symbolize_into(some, &mut Answers::default());
            symbolizer.symbolize_each(some, &mut Answers::default(), |_, _| ());
        }
        let defined = symbolizer.definitions(modules[0]);
        assert!(defined.is_ok_and(|all| !all.is_empty()));
        let mut want = before.clone();
        want.extend((0..3).map(|at| format!("symbolize-{at}")));
        want.sort();
        assert_eq!(threads(), want, "{tier:?}");
        drop(symbolizer);
        // Its threads end with it.
        while threads() != before {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}
