//! Return addresses on AArch64: in a register, on the stack, and signed.

use std::path::PathBuf;
use std::process::Command;

use backsight_types::{AbsAddr, AbsRange, FileOffset, Lookup};
use backsight_unwind::{
    CallFrames, CodeMap, Machine, MappedCode, Registers, WalkEnd, WalkedFrame, Walker,
};
use object::{Object, ObjectSymbol};
use testkit::skip;
use testkit::tools::tool;

const SOURCE: &str = "
volatile unsigned long sink;
__attribute__((noipa)) void leaf(void) { sink++; }
__attribute__((noipa)) void middle(void) { leaf(); sink++; leaf(); sink++; }
__attribute__((noipa)) void outer(void) { middle(); sink++; }
void begin(void) { outer(); for (;;) ; }
";

const CC: &str = "aarch64-linux-gnu-gcc";

fn compile(dir: &tempfile::TempDir) -> PathBuf {
    let (source, program) = (dir.path().join("a.c"), dir.path().join("a"));
    std::fs::write(&source, SOURCE).unwrap();
    let done = Command::new(CC)
        .args([
            "-O2",
            "-mbranch-protection=pac-ret+leaf",
            "-nostdlib",
            "-static",
        ])
        .args(["-Wl,-e,begin", "-o"])
        .args([&program, &source])
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    program
}

/// Disassembles a function: returns the address and text of each instruction.
fn disassembled(program: &std::path::Path, function: &str) -> Vec<(u64, String)> {
    let done = Command::new("aarch64-linux-gnu-objdump")
        .args(["-d", "--no-show-raw-insn"])
        .arg(format!("--disassemble={function}"))
        .arg(program)
        .output()
        .unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    let line = |line: &str| {
        let (addr, text) = line.split_once(":\t")?;
        let addr = u64::from_str_radix(addr.trim(), 16).ok()?;
        Some((addr, text.replace('\t', " ")))
    };
    text.lines().filter_map(line).collect()
}

#[test]
fn signed_return_addresses_are_code_addresses() {
    if tool(CC).is_none() {
        return skip("there is no compiler for AArch64");
    }
    let dir = tempfile::tempdir().unwrap();
    let program = compile(&dir);
    let image = std::fs::read(&program).unwrap();
    let file = CallFrames::parse(&image).expect("call frames");
    assert_eq!(file.machine(), Machine::Aarch64);
    let elf = object::File::parse(&*image).unwrap();
    let start = |name: &str| elf.symbol_by_name(name).expect("a function").address();
    let middle = disassembled(&program, "middle");
    let find = |what: &str| {
        let found = middle.iter().position(|(_, text)| text.starts_with(what));
        found.unwrap_or_else(|| panic!("no {what} in {middle:?}"))
    };
    // `middle` is signed at its start, and has made its first call of `leaf`.
    assert!(middle[0].1.starts_with("paciasp"), "{middle:?}");
    let after_call = middle[find("bl ") + 1].0;
    let after_call_in = |function: &str| {
        let all = disassembled(&program, function);
        let call = all.iter().find(|(_, text)| text.starts_with("bl "));
        call.expect("a call").0 + 4
    };
    let (call_of_middle, call_of_outer) = (after_call_in("outer"), after_call_in("begin"));
    // `stp x29, x30, [sp, #-32]!`
    let size_of_frame: u64 = {
        let (_, push) = &middle[find("stp x29, x30")];
        let size = push
            .split("#-")
            .nth(1)
            .and_then(|rest| rest.split(']').next());
        size.expect("a size").parse().unwrap()
    };
    let range = AbsRange {
        start: AbsAddr(start("leaf") & !0xffff),
        end: AbsAddr((start("begin") | 0xfff) + 1),
    };
    let offset = FileOffset(0);
    let mut walker = Walker::new();
    let bias = file.bias(range, offset).expect("code");
    let file = walker.add(file).expect("the first");
    let code = CodeMap::new(vec![MappedCode {
        range,
        file: Some((file, bias)),
    }]);
    // The stack of a kernel with 48-bit addresses, and of one with 39-bit addresses.
    for (sp, bits) in [(0xffff_d000_0000_u64, 48), (0x7f_d000_0000, 39)] {
        let sign = |addr: u64| addr | 0x0055_a5a5_a5a5_a5a5 >> bits << bits;
        // middle's frame: outer's frame pointer, and the signed address in it.
        let above = sp + size_of_frame;
        let stack = [
            (sp, above),
            (sp + 8, sign(call_of_middle)),
            (above, above + 16),
            (above + 8, sign(call_of_outer)),
            (above + 16, 0),
            (above + 24, sign(0)),
        ];
        let walk = |walker: &mut Walker, pc: u64, lr: u64, sp: u64, fp: u64| {
            let mut registers = Registers::at(pc);
            registers.set(30, Some(lr));
            registers.set(31, Some(sp));
            registers.set(29, Some(fp));
            let mut word = |addr| stack.iter().find(|(at, _)| *at == addr).map(|it| it.1);
            let mut frames: Vec<WalkedFrame> = Vec::new();
            let end = walker.walk(Machine::Aarch64, &code, registers, &mut word, |frame| {
                frames.push(frame);
            });
            (frames, end)
        };
        let want = |first: &[u64], others: &[u64]| [first, others].concat();
        let callers = [call_of_middle, call_of_outer];
        let places = |frames: &[WalkedFrame]| frames.iter().map(|it| it.addr.0).collect::<Vec<_>>();
        // In leaf: its return address is in x30, signed by its first instruction or not yet.
        for (pc, lr) in [
            (start("leaf"), after_call),
            (start("leaf") + 4, sign(after_call)),
        ] {
            let (frames, end) = walk(&mut walker, pc, lr, sp, sp);
            let expected = want(&[pc, after_call], &callers);
            assert_eq!((places(&frames), end), (expected, WalkEnd::Outermost));
            assert_eq!(frames[0].lookup, Lookup::Exact);
            assert!(frames[1..].iter().all(|it| it.lookup == Lookup::Return));
            assert!(frames.iter().all(|it| !it.is_guessed));
        }
        // In middle: before its frame is made, and after.
        let first = middle[0].0;
        let (frames, end) = walk(&mut walker, first, call_of_middle, above, above);
        let expected = want(&[first], &callers);
        assert_eq!((places(&frames), end), (expected, WalkEnd::Outermost));
        let (frames, end) = walk(&mut walker, after_call, 0, sp, sp);
        let expected = want(&[after_call], &callers);
        assert_eq!((places(&frames), end), (expected, WalkEnd::Outermost));
        // The stack was cut above middle's frame.
        let (frames, end) = walk(&mut walker, call_of_middle, 0, sp - 64, sp - 64);
        assert_eq!(
            (places(&frames), end),
            (vec![call_of_middle], WalkEnd::NotRecorded)
        );
    }
}
