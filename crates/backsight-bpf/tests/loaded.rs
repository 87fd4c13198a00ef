//! The programs that are loaded, by a program that the test loads and describes itself.

use backsight_bpf::loaded_programs;
use testkit::bpf::{FILE, LINES, LoadedBpf};
use testkit::skip;

#[test]
fn a_loaded_program_has_its_functions_and_lines() {
    let loaded = match LoadedBpf::load() {
        Ok(loaded) => loaded,
        Err(why) => return skip(&why),
    };
    let want = loaded.functions().expect("it is ours");
    if want.is_empty() {
        return skip("the kernel does not show the addresses of BPF programs");
    }
    let found = loaded_programs().expect("it let us load one");
    let starts: Vec<u64> = want.iter().map(|function| function.start).collect();
    let mut mine = found.programs.iter().filter(|program| {
        let of_program = program.functions.iter().map(|function| function.start.0);
        of_program.collect::<Vec<_>>() == starts
    });
    let program = mine.next().expect("it is loaded");
    assert_eq!(mine.next(), None);
    for (function, want) in program.functions.iter().zip(&want) {
        assert_eq!(function.size, want.size);
    }
    let [main, called] = &program.functions[..] else {
        panic!("{program:?}");
    };
    assert_ne!(main.tag, called.tag);
    let lines: Vec<(u64, u32)> = (program.lines.iter())
        .map(|line| (line.addr.0, line.line))
        .collect();
    assert_eq!(
        lines,
        want.iter()
            .flat_map(|function| function.lines.clone())
            .collect::<Vec<_>>()
    );
    assert_eq!(lines.len(), LINES.concat().len());
    assert!(program.lines.iter().all(|line| line.column == 3));
    let mut btf = found.btf.iter().filter(|btf| btf.id == program.btf_id);
    let btf = btf.next().expect("it has type information");
    let has_file = btf
        .bytes
        .windows(FILE.len())
        .any(|part| part == FILE.as_bytes());
    assert!(has_file);
    drop(loaded);
    let gone = loaded_programs().expect("as before");
    let is_there = |id| gone.programs.iter().any(|program| program.btf_id == id);
    assert!(!is_there(program.btf_id));
}
