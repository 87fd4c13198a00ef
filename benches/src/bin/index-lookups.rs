//! Looks up addresses in an index file and prints its peak memory, in KiB. It is a program of
//! its own, like SymCache's, because a program's own pages count, too.
//!
//! ```text
//! index-lookups INDEX ADDRESSES      a file of 64-bit addresses
//! ```

use std::error::Error;
use std::hint::black_box;
use std::path::Path;

use backsight_symbolize::{Answers, Options, Place, Request, SymbolIndex, Symbolizer};
use backsight_types::{Lookup, VirtOffset};

/// A small batch of a server, since SymCache looks up single addresses.
const BATCH_ADDRESSES: usize = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [index, addrs] = args.as_slice() else {
        return Err("usage: index-lookups INDEX ADDRESSES".into());
    };
    let addrs = std::fs::read(addrs)?;
    let (addrs, _) = addrs.as_chunks::<8>();
    let symbolizer = Symbolizer::new(Options::default());
    let index = SymbolIndex::open(Path::new(index), &Options::default())?;
    let module = symbolizer.add_index(index, None);
    let mut answers = Answers::default();
    for addrs in addrs.chunks(BATCH_ADDRESSES) {
        let request = |addr: &[u8; 8]| {
            Request::new(
                module,
                Place::Virt(VirtOffset(u64::from_le_bytes(*addr))),
                Lookup::Exact,
            )
        };
        let requests: Vec<Request> = addrs.iter().map(request).collect();
        symbolizer.symbolize_into(&requests, &mut answers);
        for frame in answers.iter().flatten().flatten() {
            black_box((frame.function, frame.file, frame.line));
        }
    }
    println!("{}", benches::peak::kib()?);
    Ok(())
}
