//! Live processes through the library: this one, and inaccessible ones.

use std::sync::mpsc;

use backsight::{Live, LiveError};
use backsight_types::{AbsAddr, Reason};

#[inline(never)]
fn a_function_of_this_test() -> usize {
    std::hint::black_box(7)
}

#[test]
fn an_address_has_its_function_or_its_reason() {
    let own = AbsAddr(a_function_of_this_test as *const () as u64);
    // A return address is looked up minus one byte.
    let behind = AbsAddr(own.0 + 1);
    let on_stack = AbsAddr(std::ptr::from_ref(&own) as u64);
    let exe = std::env::current_exe().unwrap();
    for mut live in [
        Live::of_this().unwrap(),
        Live::open(std::process::id()).unwrap(),
    ] {
        let mut got = Vec::new();
        let stack = [own, behind, on_stack, AbsAddr(8)];
        live.stack(&stack, |answer, module| {
            let name = answer.frames.first().and_then(|it| it.function.as_deref());
            let path = module.map(|module| module.path_lossy().into_owned());
            got.push((name.map(str::to_owned), path, answer.reason));
        })
        .unwrap();
        let name = Some("live::a_function_of_this_test".to_owned());
        let path = Some(exe.to_str().unwrap().to_owned());
        let named = (name, path, None);
        let want = [
            named.clone(),
            named,
            (None, None, Some(Reason::NotExecutable)),
            (None, None, Some(Reason::Unmapped)),
        ];
        assert_eq!(got, want);
    }
    a_function_of_this_test();
}

#[test]
fn a_thread_that_sleeps_stands_in_a_system_call() {
    let (end, wait) = mpsc::channel::<()>();
    let name = "sleeps \u{7}here";
    let thread = std::thread::Builder::new().name(name.to_owned());
    let (begun, has_begun) = mpsc::channel();
    let thread = thread.spawn(move || {
        begun.send(()).unwrap();
        wait.recv().unwrap_err();
    });
    has_begun.recv().unwrap();
    let live = Live::of_this().unwrap();
    let sleeper = loop {
        let threads = match live.threads() {
            Ok(threads) => threads,
            // In containers, the program counters of other threads may be hidden.
            Err(LiveError::Threads { error, .. }) => {
                assert!(error.path().unwrap().starts_with("/proc"), "{error}");
                testkit::skip(&format!("where threads stand: {error}"));
                drop(end);
                thread.unwrap().join().unwrap();
                return;
            }
            Err(other) => panic!("{other}"),
        };
        assert!(threads.is_sorted_by_key(|thread| thread.tid));
        let ours = threads.iter().find(|it| it.name == name.as_bytes());
        match ours.unwrap().pc {
            Some(pc) => break pc,
            None => std::thread::yield_now(),
        }
    };
    let mut live = live;
    let mut modules = Vec::new();
    live.stack(&[sleeper], |_, module| modules.push(module.is_some()))
        .unwrap();
    assert_eq!(modules, [true]);
    drop(end);
    thread.unwrap().join().unwrap();
}

#[test]
fn unreadable_processes_are_named() {
    let never = u32::MAX >> 1;
    match Live::open(never) {
        Err(error @ LiveError::Process { pid, .. }) => {
            assert_eq!(pid, never);
            assert!(error.to_string().contains(&never.to_string()), "{error}");
        }
        other => panic!("{other:?}"),
    }
}
