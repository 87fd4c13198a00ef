//! The kernel's list of its modules.
#![no_main]

use std::fs;
use std::sync::OnceLock;

use backsight::types::{AbsAddr, Lookup, Outcome};
use backsight::{KernelOptions, RunningKernel};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

const KALLSYMS: &str = "ffffffff81000000 T _text\nffffffff81000000 T first\n\
    ffffffff81001000 T _etext\nffffffff81002000 B _end\n\
    ffffffffc0201000 t veth_xmit\t[veth]\nffffffffc0301000 t bpf_prog_0102030405060708_f\t[bpf]\n";

/// A root for all inputs, whose list of modules is replaced.
static ROOT: OnceLock<TempDir> = OnceLock::new();

fuzz_target!(|text: &[u8]| {
    let root = ROOT.get_or_init(|| {
        let root = tempfile::tempdir().expect("a directory");
        fs::create_dir(root.path().join("proc")).expect("ours");
        fs::write(root.path().join("proc/kallsyms"), KALLSYMS).expect("ours");
        root
    });
    fs::write(root.path().join("proc/modules"), text).expect("ours");
    let options = KernelOptions::default().with_root(root.path());
    let kernel = RunningKernel::open(options).expect("its list of symbols is sound");
    let mut addrs = vec![0, 0xffff_ffff_8100_0010, 0xffff_ffff_c020_1010, u64::MAX];
    let words = text.split(|byte| byte.is_ascii_whitespace());
    let words = words.filter_map(|word| std::str::from_utf8(word).ok());
    let hexadecimal = words.filter_map(|word| word.strip_prefix("0x"));
    addrs.extend(hexadecimal.filter_map(|digits| u64::from_str_radix(digits, 16).ok()));
    for addr in addrs.into_iter().take(64) {
        for lookup in [Lookup::Exact, Lookup::Return] {
            let place = kernel.locate(AbsAddr(addr), lookup);
            if let Outcome::Located {
                module,
                file_offset,
            } = place.outcome
            {
                assert!(file_offset.0 <= addr);
                let module = kernel.module(module).expect("it was located in it");
                assert!(!module.path.is_empty());
            }
            let _ = format!("{:?}", kernel.answer(AbsAddr(addr), lookup));
        }
    }
    let _ = format!("{:?}", kernel.shortfalls());
});
