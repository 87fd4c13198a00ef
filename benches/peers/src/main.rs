//! Runs SymCache for the benches: a line in, a line out, with times measured here.
//!
//! ```text
//! build DEBUG CACHE          builds a cache       NANOSECONDS BYTES BIAS
//! first CACHE BIAS ADDRESS   opens it, looks up  NANOSECONDS LEVELS
//! all CACHE BIAS ADDRESSES   looks up a file of  NANOSECONDS LEVELS PEAK-KIB
//!                            64-bit addresses
//! ```
//!
//! Words are separated by tabs. Addresses are virtual offsets in hexadecimal; the bias is
//! SymCache's base address. Any error ends the program.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, BufRead, BufWriter, Write};
use std::time::{Duration, Instant};

use memmap2::Mmap;
use symbolic_debuginfo::elf::ElfObject;
use symbolic_demangle::{Demangle, DemangleOptions};
use symbolic_symcache::{SymCache, SymCacheConverter};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split('\t').collect();
        let answer = match words[..] {
            ["build", debug, cache] => build(debug, cache)?,
            ["first", cache, bias, addr] => first(cache, number(bias)?, number(addr)?)?,
            ["all", cache, bias, addrs] => all(cache, number(bias)?, addrs)?,
            _ => return Err(format!("not understood: {line}").into()),
        };
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

fn number(hex: &str) -> Result<u64> {
    Ok(u64::from_str_radix(hex, 16)?)
}

fn map(path: &str) -> Result<Mmap> {
    // SAFETY: no process writes these files while the benches run.
    Ok(unsafe { Mmap::map(&File::open(path)?) }?)
}

fn build(debug: &str, cache: &str) -> Result<String> {
    let began = Instant::now();
    let bytes = map(debug)?;
    let object = ElfObject::parse(&bytes)?;
    let mut converter = SymCacheConverter::new();
    converter.process_object(&object)?;
    let mut file = BufWriter::new(File::create(cache)?);
    converter.serialize(&mut file)?;
    file.flush()?;
    let took = began.elapsed();
    let size = fs::metadata(cache)?.len();
    Ok(format!(
        "{} {size} {:x}",
        nanos(took),
        object.load_address()
    ))
}

fn first(cache: &str, bias: u64, addr: u64) -> Result<String> {
    let began = Instant::now();
    let bytes = map(cache)?;
    let cache = SymCache::parse(&bytes)?;
    let levels = look_up(&cache, bias, addr);
    Ok(format!("{} {levels}", nanos(began.elapsed())))
}

fn all(cache: &str, bias: u64, addrs: &str) -> Result<String> {
    let addrs = fs::read(addrs)?;
    let bytes = map(cache)?;
    let cache = SymCache::parse(&bytes)?;
    let (addrs, _) = addrs.as_chunks::<8>();
    let began = Instant::now();
    let levels = addrs
        .iter()
        .map(|addr| look_up(&cache, bias, u64::from_le_bytes(*addr)));
    let levels: u64 = levels.sum();
    let took = nanos(began.elapsed());
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
    Ok(format!("{took} {levels} {}", peak.unwrap_or("0")))
}

/// Looks up an address, with demangled names and full paths, and returns the number of levels.
fn look_up(cache: &SymCache<'_>, bias: u64, addr: u64) -> u64 {
    let mut levels = 0;
    for place in cache.lookup(addr.wrapping_sub(bias)) {
        let name = place.function().name_for_demangling();
        black_box(name.try_demangle(DemangleOptions::complete()));
        black_box(place.file().map(|file| file.full_path()));
        black_box(place.line());
        levels += 1;
    }
    levels
}

fn nanos(took: Duration) -> u128 {
    took.as_nanos()
}
