//! What eviction gives back: indexes programs, evicts all, and prints the memory at each step.
//!
//! `cargo run --release --example evict -p backsight-symbolize -- PROGRAM...`

use std::error::Error;

use backsight_symbolize::{ModuleInput, Options, Place, Request, Symbolizer, Tier};
use backsight_types::{Lookup, VirtOffset};

/// Returns the memory of this process that no file backs, in MB.
fn anonymous() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("no RssAnon")?.parse::<u64>()? / 1000)
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("start: {} MB", anonymous()?);
    let symbolizer = Symbolizer::new(Options::default().with_tier(Tier::Flat));
    for round in 1..=3 {
        for path in std::env::args_os().skip(1) {
            let module = symbolizer.add(ModuleInput::open(path.as_ref())?, None, None);
            let place = Place::Virt(VirtOffset(0x1000));
            let request = Request::new(module, place, Lookup::Exact);
            drop(symbolizer.symbolize(&[request]));
        }
        let kept = symbolizer.usage().kept_bytes / 1_000_000;
        println!("round {round}: {kept} MB kept, {} MB in use", anonymous()?);
        symbolizer.evict(0);
        let kept = symbolizer.usage().kept_bytes;
        println!(
            "after evict(0): {kept} bytes kept, {} MB in use",
            anonymous()?
        );
    }
    Ok(())
}
