//! Rows from elsewhere, in code without call frame information of its own.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use backsight_types::{AbsAddr, AbsRange, FileOffset, Lookup};
use backsight_unwind::{
    CallFrames, CallerValue, CodeMap, Machine, MappedCode, Registers, RowSource, SourceRow,
    WalkEnd, Walker,
};
use object::{Object, ObjectSection, ObjectSymbol};
use testkit::skip;

/// No directive of the assembler writes call frame information here.
const SOURCE: &str = ".globl begin, outer, leaf
leaf: sub $24, %rsp
in_leaf: nop
add $24, %rsp
ret
outer: push %rbx
call leaf
in_outer: pop %rbx
ret
begin: call outer
in_begin: hlt
";

fn assembled(dir: &tempfile::TempDir) -> Option<PathBuf> {
    let (source, program) = (dir.path().join("a.s"), dir.path().join("a"));
    std::fs::write(&source, SOURCE).unwrap();
    let mut cc = Command::new("cc");
    cc.args(["-nostdlib", "-static", "-Wl,-e,begin", "-o"]);
    let done = cc.args([&program, &source]).output().ok()?;
    done.status.success().then_some(program)
}

/// The rules of the three functions, and where these begin.
#[derive(Debug)]
struct Rows([(u64, SourceRow); 3]);

impl RowSource for Rows {
    fn row(&self, address: u64) -> Option<SourceRow> {
        let before = self.0.iter().filter(|(start, _)| *start <= address);
        before
            .max_by_key(|(start, _)| *start)
            .map(|(_, row)| row.clone())
    }
}

#[test]
fn a_source_unwinds_what_no_section_covers() {
    if !cfg!(target_arch = "x86_64") {
        return skip("not x86-64");
    }
    let dir = tempfile::tempdir().unwrap();
    let Some(program) = assembled(&dir) else {
        return skip("cc: cannot assemble");
    };
    let bytes = std::fs::read(program).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let addr = |name: &str| file.symbol_by_name(name).unwrap().address();
    let text = file.section_by_name(".text").unwrap();
    let [leaf, outer, begin] = ["leaf", "outer", "begin"].map(addr);
    let [in_leaf, in_outer, in_begin] = ["in_leaf", "in_outer", "in_begin"].map(addr);

    let ra = Machine::X86_64.return_address();
    let return_at = (ra, CallerValue::AtCfa(-8));
    let rows = |last: Vec<(u16, CallerValue)>| {
        let outer_saved = vec![return_at, (3, CallerValue::AtCfa(-16))];
        Rows([
            (leaf, SourceRow::new((7, 32), vec![return_at])),
            (outer, SourceRow::new((7, 16), outer_saved)),
            (begin, SourceRow::new((7, 8), last)),
        ])
    };
    // From the stack pointer on: room of `leaf`, its caller, `rbx`, the caller of `outer`.
    let stack = [0, 0, 0, in_outer, 42, in_begin, 0];
    let sp = 0x7000_0000_u64;
    let walk = |frames: CallFrames| {
        let mut walker = Walker::new();
        let index = walker.add(frames).unwrap();
        let (start, size) = (text.address(), text.size());
        let range = AbsRange::new(AbsAddr(start), AbsAddr(start + size)).unwrap();
        let offset = FileOffset(text.file_range().unwrap().0);
        let bias = walker.file(index).unwrap().bias(range, offset).unwrap();
        let file = Some((index, bias));
        let code = CodeMap::new(vec![MappedCode { range, file }]);
        let mut registers = Registers::at(in_leaf);
        registers.set(7, Some(sp));
        let mut found = Vec::new();
        let mut word = |addr: u64| {
            let at = usize::try_from(addr.checked_sub(sp)? / 8).ok()?;
            stack.get(at).copied()
        };
        let end = walker.walk(Machine::X86_64, &code, registers, &mut word, |frame| {
            found.push((frame.addr.0, frame.lookup, frame.is_guessed));
        });
        (found, end)
    };
    let parsed = || CallFrames::parse(&bytes).unwrap();
    assert!(parsed().is_empty());
    let want = vec![
        (in_leaf, Lookup::Exact, false),
        (in_outer, Lookup::Return, false),
        (in_begin, Lookup::Return, false),
    ];
    // Without a rule of the return address, or with this one, there is no caller.
    for last in [vec![], vec![(ra, CallerValue::Undefined)]] {
        let frames = parsed().with_row_source(Arc::new(rows(last)));
        assert!(!frames.is_empty());
        assert_eq!(walk(frames), (want.clone(), WalkEnd::Outermost));
    }
    let (found, _) = walk(parsed());
    assert_ne!(found, want, "nothing else unwinds it");
}
