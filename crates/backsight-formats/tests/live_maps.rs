//! The lines of our writer, compared with the kernel's for each process of this host.

use std::fs;

use backsight_formats::maps_text::MapsLine;
use backsight_types::{AbsAddr, AbsRange, Device, FileOffset};

/// Parses a line in a simple and slow way.
fn naive(line: &str) -> Option<MapsLine<'_>> {
    let mut fields = line.splitn(6, ' ');
    let (start, end) = fields.next()?.split_once('-')?;
    let start: AbsAddr = start.parse().ok()?;
    let perms = fields.next()?.parse().ok()?;
    let offset: FileOffset = fields.next()?.parse().ok()?;
    let (major, minor) = fields.next()?.split_once(':')?;
    let inode = fields.next()?.parse().ok()?;
    Some(MapsLine {
        range: AbsRange::new(start, end.parse().ok()?)?,
        perms,
        file_offset: offset,
        device: Device {
            major: u32::from_str_radix(major, 16).ok()?,
            minor: u32::from_str_radix(minor, 16).ok()?,
        },
        inode,
        // Only leading spaces are padding: a name can end in a space.
        name: fields.next()?.trim_start_matches(' ').as_bytes(),
    })
}

#[test]
fn every_line_is_written_as_the_kernel_printed_it() {
    let mut count = 0;
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        // Not permitted, or the process has ended.
        let Ok(text) = fs::read(entry.path().join("maps")) else {
            continue;
        };
        let text = String::from_utf8_lossy(&text);
        for line in text.lines() {
            let mut out = Vec::new();
            let parsed = naive(line).unwrap_or_else(|| panic!("not a maps line: {line:?}"));
            parsed.write(&mut out).unwrap();
            assert_eq!(String::from_utf8_lossy(&out), format!("{line}\n"));
            count += 1;
        }
    }
    assert!(count > 10, "at least this test's own VMAs: {count}");
}
