//! Names for code without a file, from a list of one's own: a just-in-time compiler's.

use std::ops::Range;
use std::sync::Arc;

use backsight_symbolize::{
    Detail, Frame, Frames, ModuleInput, Options, Place, Request, SymbolSource, Symbolizer,
};
use backsight_types::{Lookup, VirtOffset};

#[derive(Debug)]
struct Compiled(Vec<(Range<u64>, &'static str)>);

impl SymbolSource for Compiled {
    fn detail(&self) -> Detail {
        Detail::Names
    }

    fn find(&self, place: VirtOffset) -> Option<Frames> {
        let mut functions = self.0.iter();
        let (_, name) = functions.find(|(range, _)| range.contains(&place.0))?;
        Frames::of(vec![Frame::named(*name)])
    }
}

fn main() {
    let compiled = Compiled(vec![(0x1000..0x1400, "render"), (0x1400..0x1500, "sum")]);
    let symbolizer = Symbolizer::new(Options::default());
    let module = symbolizer.add(ModuleInput::Symbols(Arc::new(compiled)), None, None);
    for place in [0x1010, 0x1404, 0x2000].map(VirtOffset) {
        let (place, lookup) = (Place::Virt(place), Lookup::Exact);
        let answers = symbolizer.symbolize(&[Request::new(module, place, lookup)]);
        println!(
            "{place:x?} {:?}",
            answers[0].as_ref().map(|frames| frames[0].function.clone())
        );
    }
}
