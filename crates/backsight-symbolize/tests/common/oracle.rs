//! What other tools say of a file.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Returns the places that objdump labels in the code, and what it calls them.
pub(crate) fn labels(objdump: &str, args: &[&str], path: &Path) -> Vec<(u64, String)> {
    let said = Command::new(objdump)
        .arg("-d")
        .args(args)
        .arg(path)
        .output();
    let said = said.expect("objdump runs");
    assert!(said.status.success(), "{objdump} {}", path.display());
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let labels = said.lines().filter_map(|line| {
        let (addr, name) = line.split_once(" <")?;
        let addr = u64::from_str_radix(addr, 16).ok()?;
        Some((addr, name.strip_suffix(">:")?.to_owned()))
    });
    labels.collect()
}

/// Returns what nm lists, but for constants: addresses, and all names there. A function
/// with a descriptor counts as data.
pub(crate) fn nm(tool: &str, args: &[&str], path: &Path) -> BTreeMap<u64, Vec<String>> {
    let listed = Command::new(tool)
        .args(args)
        .arg(path)
        .output()
        .expect("nm runs");
    assert!(listed.status.success(), "{tool} {}", path.display());
    let mut functions: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&listed.stdout).lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [addr, "T" | "t" | "W" | "i" | "D" | "d", name] = words[..] else {
            continue;
        };
        let addr = u64::from_str_radix(addr, 16).expect("an address");
        let plain = name.split('@').next().expect("a name");
        functions.entry(addr).or_default().push(plain.to_owned());
    }
    functions
}
