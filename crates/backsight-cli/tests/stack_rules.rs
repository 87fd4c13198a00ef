//! `stack`: unwinding rules that are not in the program: `.debug_frame` of its debug file, and
//! `STACK CFI` of a Breakpad symbol file.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use backsight_types::{BuildId, DebugId};
use common::{Ran, backsight, wait_until};
use testkit::child::KillOnDrop;
use testkit::skip;

/// `main` calls `outer`, and that `inner`, which waits for ever. None keeps a frame pointer, and no
/// size of a frame is that of another. The C library's own code has `.eh_frame`.
const SOURCE: &str = r"
    .cfi_sections .debug_frame
    .text
    .globl main
    .type main,@function
main:
    .cfi_startproc
    subq $24, %rsp
    .cfi_adjust_cfa_offset 24
    xorl %ebp, %ebp
    call outer
    hlt
    .cfi_endproc
    .size main, .-main
    .type outer,@function
outer:
    .cfi_startproc
    subq $72, %rsp
    .cfi_adjust_cfa_offset 72
    call inner
    hlt
    .cfi_endproc
    .size outer, .-outer
    .type inner,@function
inner:
    .cfi_startproc
    subq $40, %rsp
    .cfi_adjust_cfa_offset 40
1:  movl $34, %eax
    syscall
    jmp 1b
    .cfi_endproc
    .size inner, .-inner
    .section .note.GNU-stack
";

/// The functions, each with what its first instruction, of four bytes, takes of the stack.
const FUNCTIONS: [(&str, u64); 3] = [("inner", 40), ("outer", 72), ("main", 24)];

fn tool(dir: &Path, name: &str, args: &[&str]) -> Result<String, String> {
    let done = Command::new(name).args(args).current_dir(dir).output();
    let done = done.map_err(|why| format!("{name}: {why}"))?;
    match done.status.success() {
        true => Ok(String::from_utf8_lossy(&done.stdout).into_owned()),
        false => Err(format!("{name}: {}", String::from_utf8_lossy(&done.stderr))),
    }
}

/// Builds the program, and returns its build ID and the addresses of `FUNCTIONS` with their sizes.
fn build(dir: &Path) -> Result<(String, Vec<(u64, u64)>), String> {
    fs::write(dir.join("a.s"), SOURCE).expect("ours");
    tool(dir, "cc", &["-Wl,--build-id", "-o", "waits", "a.s"])?;
    tool(
        dir,
        "objcopy",
        &["--only-keep-debug", "waits", "waits.debug"],
    )?;
    let symbols = tool(dir, "nm", &["-S", "waits"])?;
    let place = |name: &str| {
        let mut lines = symbols
            .lines()
            .map(|line| line.split(' ').collect::<Vec<_>>());
        let line = lines
            .find(|words| words.last() == Some(&name))
            .expect("a symbol");
        let hex = |digits: &str| u64::from_str_radix(digits, 16).expect("digits");
        (hex(line[0]), hex(line[1]))
    };
    let places = FUNCTIONS.iter().map(|(name, _)| place(name)).collect();
    tool(dir, "strip", &["waits"])?;
    let id = testkit::tools::readelf_build_id(&dir.join("waits")).flatten();
    Ok((id.ok_or("readelf, or no build ID")?, places))
}

/// Returns the stack of the waiting program.
fn stack(pid: u32, args: &[&str]) -> Ran {
    let mut command = backsight();
    command.args(["stack", "-p", &pid.to_string()]).args(args);
    Ran::from(command.output().expect("it runs"))
}

fn has_callers(ran: &Ran) -> bool {
    let mut rest = &*ran.stdout;
    // Then a function of the C library, which it calls differently.
    FUNCTIONS
        .iter()
        .all(|(name, _)| match rest.split_once(name) {
            Some((_, behind)) => {
                rest = behind;
                true
            }
            None => false,
        })
        && rest.contains("libc")
}

#[test]
fn rules_of_debug_files_and_symbol_files_unwind_live_stacks() {
    if !cfg!(target_arch = "x86_64") {
        return skip("the code is of x86-64");
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (id, places) = match build(dir.path()) {
        Ok(built) => built,
        Err(reason) => return skip(&reason),
    };
    let mut waits = Command::new(dir.path().join("waits"));
    let waits = KillOnDrop(waits.stdin(Stdio::null()).spawn().expect("it starts"));
    let pid = waits.pid();
    wait_until("it waits", || {
        let call = fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
        call.starts_with("34 ")
    });
    let ran = stack(pid, &[]);
    assert!(ran.stdout.contains("waits"), "{ran:?}");
    assert!(!has_callers(&ran), "without rules and names: {ran:?}");

    let debug = dir.path().join("debug/.build-id").join(&id[..2]);
    fs::create_dir_all(&debug).expect("ours");
    let file = debug.join(format!("{}.debug", &id[2..]));
    testkit::copy(dir.path().join("waits.debug"), &file).expect("ours");
    let debug_dir = dir.path().join("debug");
    let ran = stack(pid, &["--debug-dir", debug_dir.to_str().expect("text")]);
    assert!(has_callers(&ran), "by .debug_frame: {ran:?}");

    let id: Vec<u8> = (0..id.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&id[at..at + 2], 16).expect("digits"))
        .collect();
    let id = BuildId::from_bytes(&id).expect("a build ID");
    let mut text = format!(
        "MODULE Linux x86_64 {} waits\n",
        DebugId::of_build_id(&id)[0]
    );
    for ((name, _), (start, size)) in FUNCTIONS.iter().zip(&places) {
        text.push_str(&format!("FUNC {start:x} {size:x} 0 {name}\n"));
    }
    for ((_, taken), (start, size)) in FUNCTIONS.iter().zip(&places) {
        let (behind, cfa) = (start + 4, taken + 8);
        text.push_str(&format!(
            "STACK CFI INIT {start:x} {size:x} .cfa: $rsp 8 + .ra: .cfa -8 + ^\n\
             STACK CFI {behind:x} .cfa: $rsp {cfa} +\n"
        ));
    }
    let symbols = dir.path().join("waits.sym");
    fs::write(&symbols, text).expect("ours");
    let ran = stack(pid, &["--symbols", symbols.to_str().expect("text")]);
    assert!(has_callers(&ran), "by STACK CFI: {ran:?}");
}
