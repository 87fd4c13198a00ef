//! Where the running kernel and its modules are, as perf records it.

use std::fs::File;
use std::io::{BufRead, BufReader};

use crate::record;

/// Appends the mappings of the kernel and its modules. Returns `false` if their addresses are
/// hidden from this user (`kernel.kptr_restrict`).
pub(crate) fn write(out: &mut Vec<u8>) -> bool {
    let Some(text) = text_address() else {
        return false;
    };
    /// Where modules and other code of the kernel may follow. The reader extends the image to
    /// its end.
    const LEAST: u64 = 1 << 20;
    record::kernel_mapping(out, text, LEAST, text, b"[kernel.kallsyms]_text");
    for (name, start, size) in modules() {
        let name = format!("[{name}]");
        record::kernel_mapping(out, start, size, 0, name.as_bytes());
    }
    true
}

/// Returns the address of `_text`. It is the same until the next boot.
fn text_address() -> Option<u64> {
    let list = BufReader::new(File::open("/proc/kallsyms").ok()?);
    for line in list.split(b'\n') {
        let line = line.ok()?;
        let line = std::str::from_utf8(&line).ok()?;
        let mut words = line.split_ascii_whitespace();
        let (address, _kind, name) = (words.next()?, words.next()?, words.next()?);
        if name == "_text" {
            let address = u64::from_str_radix(address, 16).ok()?;
            return (address != 0).then_some(address);
        }
    }
    None
}

/// Returns the loaded modules: name, address and size.
fn modules() -> Vec<(String, u64, u64)> {
    let Ok(list) = File::open("/proc/modules") else {
        return Vec::new();
    };
    let lines = BufReader::new(list).lines().map_while(Result::ok);
    let modules = lines.filter_map(|line| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let size = words.get(1)?.parse().ok()?;
        let address = words.get(5)?.strip_prefix("0x")?;
        let address = u64::from_str_radix(address, 16).ok()?;
        (address != 0).then(|| (words.first().map(|name| (*name).to_owned()), address, size))
    });
    let named = modules.filter_map(|(name, address, size)| Some((name?, address, size)));
    named.collect()
}
