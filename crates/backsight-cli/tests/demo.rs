//! `backsight demo`, which new users run first.

mod common;

use common::{Ran, backends, backsight, run};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

/// The call chain in the demo's source, innermost first.
fn shows_the_chain(text: &str) {
    let stack = text
        .split("Symbolized:")
        .nth(1)
        .expect("a symbolized stack");
    let chain = [
        "clock_gettime",
        "demo::child::read_clock",
        "demo::child::aim [inlined]",
        "demo::child::station",
        "demo::child::survey",
        "demo::child::run",
        "main",
    ];
    let mut rest = stack;
    for name in chain {
        let at = rest.find(name);
        rest = &rest[at.unwrap_or_else(|| panic!("no {name} in {stack}"))..];
    }
    assert!(stack.contains("demo/child.rs:"), "{stack}");
    for module in ["([vdso])", "libc"] {
        assert!(stack.contains(module), "{module} in {stack}");
    }
}

#[test]
fn the_known_chain_is_found_and_both_backends_agree() {
    let text = run(["demo"]).ok();
    shows_the_chain(&text);
    if backends().contains(&"ioctl") {
        assert!(
            text.contains("Both agree on the module, build ID and offsets of each"),
            "{text}"
        );
        assert_eq!(text.matches(" µs").count(), 2, "{text}");
    } else {
        assert!(text.contains("this kernel does not answer it"), "{text}");
    }
}

#[test]
fn an_old_kernel_is_said_and_the_text_does() {
    let mut command = backsight();
    testkit::old_kernel::filter_command(command.arg("demo"), testkit::old_kernel::ERRNOS[0]);
    let ran: Ran = command.output().expect("it runs").into();
    let text = ran.ok();
    assert!(text.contains("this kernel does not answer it"), "{text}");
    assert_eq!(text.matches(" µs").count(), 1, "{text}");
    shows_the_chain(&text);
}

#[test]
fn where_tracing_is_forbidden_it_says_how_to_allow_it() {
    let rules = [(nix::libc::SYS_ptrace, vec![])];
    let filter = SeccompFilter::new(
        rules.into_iter().collect(),
        SeccompAction::Allow,
        SeccompAction::Errno(nix::libc::EPERM.unsigned_abs()),
        std::env::consts::ARCH.try_into().unwrap(),
    );
    let program: BpfProgram = filter.unwrap().try_into().unwrap();
    // A filter belongs to the thread, and to what it starts.
    let forbidden = std::thread::spawn(move || {
        seccompiler::apply_filter(&program).unwrap();
        run(["demo"])
    });
    let ran = forbidden.join().unwrap();
    ran.fails(1, &["ptrace_scope", "--cap-add SYS_PTRACE"]);
    assert_eq!(ran.stdout, "");
}
