//! Symbol files, asked in both ways.

use std::sync::Arc;

use backsight_symbolize::{
    Frames, ModuleInput, Options, SymbolFile, SymbolSource as _, Symbolizer, Tier,
};
use backsight_types::{Reason, VirtOffset};

use super::at;

/// A C++ program with inlined calls in inlined calls, templates and a cold part.
pub(crate) const SHOP_SOURCE: &str = r#"
#include <vector>
#include <algorithm>
#include <string>
namespace shop {
static volatile int sink;
static inline __attribute__((always_inline)) int square(int x) { sink = x; return x * x; }
static inline __attribute__((always_inline)) int twice(int x) { return square(x) + square(x + 1); }
struct Till { __attribute__((noinline)) int add(int x) { sink = x; return twice(x) + square(x); } };
template <class T> __attribute__((noinline)) T order(std::vector<T> all) {
  std::sort(all.begin(), all.end()); all.push_back(T()); return all[0];
}
}
extern "C" __attribute__((noinline, cold)) int rare(int x) { shop::sink = -x; return x; }
int main(int argc, char **argv) {
  std::vector<std::string> words(argv, argv + argc);
  return shop::Till().add(argc) + rare(argc) + shop::twice(argc) + shop::order(words).size()
    + shop::order(std::vector<int>(argc, 2)) + shop::order(std::vector<double>(argc, 2.0));
}
"#;

/// What the format can hold: function, file, line, and whether it is inlined.
pub(crate) type Shown = (Option<String>, Option<String>, Option<u32>, bool);

pub(crate) fn levels(frames: &Result<Frames, Reason>) -> Vec<Shown> {
    let text = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
    let frames = frames.as_ref().map(|frames| frames.to_vec());
    let frames = frames.unwrap_or_default().into_iter();
    let shown = frames.map(|frame| {
        let (function, file) = (text(&frame.function), text(&frame.file));
        (function, file, frame.line, frame.inlined)
    });
    shown.collect()
}

/// Opens the text of a Breakpad symbol file.
pub(crate) fn opened(text: &str) -> SymbolFile {
    SymbolFile::of_bytes(text.as_bytes().into()).expect("a Breakpad file")
}

fn symbolizer() -> Symbolizer {
    let mut options = Options::default().with_tier(Tier::Auto);
    options.debug_dirs.clear();
    Symbolizer::new(options)
}

/// What the file alone says: listed in an index, and asked place by place.
pub(crate) fn both_ways(file: &SymbolFile, addresses: &[u64]) -> Vec<Result<Frames, Reason>> {
    let listed = symbolizer();
    let input = ModuleInput::Symbols(Arc::new(file.clone()));
    let module = listed.add(input, file.build_id(), None);
    let requests: Vec<_> = addresses.iter().map(|addr| at(module, *addr)).collect();
    let listed = listed.symbolize(&requests);
    // Each reads the whole function again: of many, some are enough.
    let step = addresses.len() / 1_000 + 1;
    for (addr, listed) in addresses.iter().zip(&listed).step_by(step) {
        let asked = file.find(VirtOffset(*addr));
        assert_eq!(asked.as_ref(), listed.as_ref().ok(), "{addr:#x}");
    }
    listed
}
