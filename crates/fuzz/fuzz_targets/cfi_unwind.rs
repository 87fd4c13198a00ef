//! Walks by the call frames of any bytes: each ends, after no more frames than a stack
//! may have.
#![no_main]

use backsight_types::{AbsAddr, AbsRange, FileOffset};
use backsight_unwind::{CallFrames, CodeMap, MappedCode, Registers, Walker};
use libfuzzer_sys::fuzz_target;

const END: u64 = 0x40_4000;

fuzz_target!(|bytes: &[u8]| {
    let Some(file) = CallFrames::parse(bytes) else {
        return;
    };
    let machine = file.machine();
    let mut walker = Walker::new();
    // Small programs begin at 0, or where linkers put those that do not move.
    let whole = [0, 0x40_0000].map(|start| AbsRange {
        start: AbsAddr(start),
        end: AbsAddr(start + 0x4000),
    });
    let index = walker.add(file).expect("the first");
    let piece = |range: AbsRange| {
        let bias = walker.file(index)?.bias(range, FileOffset(0));
        Some(MappedCode {
            range,
            file: Some((index, bias.unwrap_or_default())),
        })
    };
    let code = CodeMap::new(whole.into_iter().filter_map(piece).collect());
    let low = (0..0x2000).step_by(0x40);
    for pc in low
        .chain((0x40_1000..0x40_1400).step_by(0x10))
        .chain([u64::MAX])
    {
        for sp in [0x7ffc_0000_0000, u64::MAX - 0x40] {
            let mut registers = Registers::at(pc);
            for number in 0..17 {
                registers.set(number, Some(sp ^ (u64::from(number) << 4)));
            }
            registers.set(machine.stack_pointer(), Some(sp));
            registers.set(machine.frame_pointer(), Some(sp.wrapping_add(32)));
            let mut word = |addr: u64| {
                let at = addr.checked_sub(sp).filter(|at| *at < 4096)?;
                Some(match at / 8 % 3 {
                    0 => addr.wrapping_add(32),
                    1 => at % 0x2000,
                    _ => at.wrapping_mul(0x9e37_79b9_7f4a_7c15) % END,
                })
            };
            let mut frames = 0;
            walker.walk(machine, &code, registers, &mut word, |_| frames += 1);
            assert!((1..=1024).contains(&frames));
        }
    }
});
