//! Chooses the addresses to compare.

use std::path::Path;

use object::{Object as _, ObjectSection as _};

/// Returns pseudo-random addresses, evenly distributed over the code sections, the same in each
/// run.
///
/// # Panics
/// When the file cannot be read, is no ELF file, or has no code.
#[must_use]
pub fn sample(path: &Path, count: usize) -> Vec<u64> {
    let bytes = std::fs::read(path).expect("readable");
    let file = object::File::parse(&*bytes).expect("an object file");
    let sections = file.sections();
    let code: Vec<(u64, u64)> = sections
        .filter(|section| section.kind() == object::SectionKind::Text)
        .map(|section| (section.address(), section.size()))
        .collect();
    let total: u64 = code.iter().map(|(_, size)| size).sum();
    assert!(total > 0, "{}: no section of code", path.display());
    // Any generator will do, as long as each run has the same addresses.
    let mut state = 42_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let mut into = (state >> 20) % total;
        for (start, size) in &code {
            if into < *size {
                return start + into;
            }
            into -= size;
        }
        unreachable!("the sizes add up to the total")
    };
    (0..count).map(|_| next()).collect()
}
