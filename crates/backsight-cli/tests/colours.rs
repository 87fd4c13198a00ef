//! Colours appear only on terminals, and `NO_COLOR` disables them in any case.

mod common;

use std::fs::File;
use std::io::Read;
use std::process::Stdio;

use common::{backsight, code_of, sleeping};
use nix::pty::openpty;

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";

/// Runs the command on a pseudo-terminal.
fn on_a_terminal(args: &[&str], environment: &[(&str, &str)]) -> String {
    let terminal = openpty(None, None).expect("a pseudo terminal");
    let mut command = backsight();
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM"] {
        command.env_remove(name);
    }
    command
        .env("TERM", "xterm")
        .envs(environment.iter().copied());
    // This variable enables colours whatever the terminal is.
    command.env_remove("CI");
    command.args(args).stdout(Stdio::from(terminal.slave));
    let mut child = command.spawn().expect("it runs");
    // The command holds the terminal open until it is dropped.
    drop(command);
    let mut text = Vec::new();
    // EIO: the other side has been closed.
    let _ = File::from(terminal.master).read_to_end(&mut text);
    assert!(child.wait().expect("it ends").success());
    String::from_utf8(text).expect("UTF-8").replace('\r', "")
}

#[test]
fn a_terminal_has_colours_and_nothing_else_does() {
    let child = sleeping();
    let pid = child.0.id();
    let libc = format!("{:x}", code_of(pid, "libc") + 0x1234);
    let pid = pid.to_string();
    let symbolize = ["symbolize", "-p", &pid];
    let coloured = on_a_terminal(&symbolize, &[]);
    assert!(
        coloured.contains(BOLD) && coloured.contains(DIM),
        "{coloured:?}"
    );
    assert!(coloured.contains(&format!("{DIM}(")), "{coloured:?}");

    let plain = common::run(symbolize).ok();
    assert!(!plain.contains('\x1b'), "a pipe: {plain:?}");
    let bare = coloured
        .replace("\x1b[0m", "")
        .replace(BOLD, "")
        .replace(DIM, "");
    assert_eq!(bare, plain);
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb"), ("CLICOLOR", "0")] {
        assert_eq!(on_a_terminal(&symbolize, &[(name, value)]), plain, "{name}");
    }
    // It overrides even CLICOLOR_FORCE.
    let both = [("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")];
    assert_eq!(on_a_terminal(&symbolize, &both), plain);

    assert!(on_a_terminal(&["normalize", "-p", &pid, &libc], &[]).contains(DIM));
    assert!(on_a_terminal(&["doctor"], &[]).contains("\x1b[32mok"));
    let never: [&[&str]; 4] = [
        &["symbolize", "-p", &pid, "--format", "json"],
        &["symbolize", "-p", &pid, "--format", "addr2line", &libc],
        &["doctor", "--format", "json"],
        &["maps", "-p", &pid],
    ];
    for args in never {
        let text = on_a_terminal(args, &[("CLICOLOR_FORCE", "1")]);
        assert!(
            !text.contains('\x1b') && !text.is_empty(),
            "{args:?}: {text:?}"
        );
    }
}

#[test]
fn files_have_no_colours() {
    let child = sleeping();
    let pid = child.0.id();
    let libc = format!("{:x}", code_of(pid, "libc"));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    let to = path.to_str().unwrap();
    let args = ["normalize", "-p", &pid.to_string(), "-o", to, &libc];
    assert_eq!(on_a_terminal(&args, &[("CLICOLOR_FORCE", "1")]), "");
    assert!(!std::fs::read_to_string(&path).unwrap().contains('\x1b'));
}
