//! Kept indexes of which somebody changed a bit.

use crate::{Answers, Case, common};
use backsight_symbolize::{ModuleId, Options, SymbolIndex, Symbolizer, Tier};
use backsight_types::Reason;

/// Bits that are flipped, one in a file.
const FLIPS: usize = 150;

#[test]
fn a_flipped_bit_gives_no_wrong_answer() {
    let Some(case) = Case::new(u64::MAX) else {
        return;
    };
    // A few of them: there are many files to read.
    let requests = |module| -> Vec<_> {
        let addrs = (0x1000..0x6000).step_by(256);
        addrs.map(|addr| common::at(module, addr)).collect()
    };
    let ask = |symbolizer: &Symbolizer, module: ModuleId| -> Answers {
        symbolizer.symbolize(&requests(module))
    };
    let borrowed = |symbolizer: &Symbolizer, module: ModuleId| -> Answers {
        let mut answers = backsight_symbolize::Answers::default();
        symbolizer.symbolize_into(&requests(module), &mut answers);
        let own = |stack: Result<backsight_symbolize::Stack<'_>, Reason>| {
            stack.map(|stack| stack.to_frames())
        };
        answers.iter().map(own).collect()
    };
    let fresh = |options| {
        let symbolizer = Symbolizer::new(options);
        let module = symbolizer.add(case.input("a"), None, None);
        (symbolizer, module)
    };
    let (symbolizer, module) = fresh(case.options(Tier::Flat));
    let want = ask(&symbolizer, module);
    let definitions = symbolizer.definitions(module).expect("an index");
    let path = case.kept();
    let whole = std::fs::read(&path).expect("written");
    let (mut noticed, mut refused) = (0, 0);
    for n in 0..FLIPS {
        let mut flipped = whole.clone();
        let at = (n * whole.len()) / FLIPS + n % 7;
        flipped[at.min(whole.len() - 1)] ^= 1 << (n % 8);
        // Where the files are still there, they answer.
        std::fs::write(&path, &flipped).expect("ours");
        let (symbolizer, module) = fresh(case.options(Tier::Auto));
        let found = match n % 3 {
            0 => ask(&symbolizer, module),
            1 => borrowed(&symbolizer, module),
            _ => {
                let found = symbolizer.definitions(module).expect("the files are there");
                assert_eq!(found, definitions, "bit {n}");
                ask(&symbolizer, module)
            }
        };
        assert_eq!(found, want, "bit {n}");
        // Where it is all there is, it says so.
        let Ok(index) = SymbolIndex::from_bytes(flipped.into()) else {
            refused += 1;
            continue;
        };
        let symbolizer = Symbolizer::new(Options::default());
        let module = symbolizer.add_index(index, None);
        let found = ask(&symbolizer, module);
        let damaged = found
            .iter()
            .all(|answer| *answer == Err(Reason::Unreadable));
        assert!(damaged || found == want, "bit {n}");
        noticed += usize::from(damaged);
    }
    assert!(
        noticed + refused > FLIPS / 4,
        "{noticed} and {refused} of {FLIPS}"
    );
}
