//! The example that joins a session and a symbolizer, over this very process.

#[path = "../examples/session_and_symbolizer.rs"]
#[expect(dead_code, reason = "its main is not called")]
mod example;

use backsight_types::{AbsAddr, Lookup, Reason};
use example::Live;

#[inline(never)]
fn a_function_of_this_test() -> usize {
    std::hint::black_box(7)
}

#[test]
fn every_address_of_a_live_process_gets_its_name_or_its_reason() {
    let mut live = Live::open(std::process::id()).expect("we run");
    let own = AbsAddr(a_function_of_this_test as *const () as u64);
    let stack = AbsAddr(std::ptr::from_ref(&own) as u64);
    let asked = [stack, own, AbsAddr(0), own].map(|addr| (addr, Lookup::Exact));
    // The second batch knows the modules already.
    for _ in 0..2 {
        let mut names = vec![Vec::new(); asked.len()];
        let found = live.names(&asked, |at, answer| match answer {
            Ok(stack) => {
                let functions = stack.into_iter().map(|frame| frame.function);
                names[at].extend(functions.map(|function| function.map(String::from)));
            }
            Err(reason) => names[at].push(Some(reason.to_string())),
        });
        found.expect("we run");
        let own = vec![Some("live::a_function_of_this_test".to_owned())];
        let reason = |reason: Reason| vec![Some(reason.to_string())];
        assert_eq!(
            names,
            [
                reason(Reason::NotExecutable),
                own.clone(),
                reason(Reason::Unmapped),
                own
            ]
        );
    }
    a_function_of_this_test();
}
