//! The names of output files.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::convert::Output;
use crate::utc::Utc;

/// Returns the name of a file of an interval: its begin in milliseconds, without characters that
/// need quotes. Names of one begin differ by `same`. By name, files are in the order of time.
pub(super) fn file_name(began: SystemTime, format: Output, same: u32) -> String {
    let since = began.duration_since(SystemTime::UNIX_EPOCH);
    let millis = since.unwrap_or_default().subsec_millis();
    let whole = Utc(began).to_string().replace(':', "");
    let whole = whole.trim_end_matches('Z');
    let same = match same {
        0 => String::new(),
        same => format!("-{same}"),
    };
    format!("{whole}.{millis:03}Z{same}{}", format.ending())
}

/// Returns a path with this text before the ending of its name.
pub(super) fn with_part(path: &Path, format: Output, part: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let named = name.strip_suffix(format.ending());
    let (stem, ending) = match named.filter(|stem| !part.is_empty() && !stem.is_empty()) {
        Some(stem) => (stem, format.ending()),
        None if part.is_empty() => return path.to_owned(),
        None => name.rsplit_once('.').map_or((&*name, ""), |(stem, _)| {
            (stem, name.get(stem.len()..).unwrap_or_default())
        }),
    };
    path.with_file_name(format!("{stem}{part}{ending}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::with_part;
    use crate::convert::Output;

    #[test]
    fn a_part_stands_before_the_ending() {
        for (path, format, want) in [
            ("a/b.svg", Output::Svg, "a/b.off-cpu.svg"),
            ("b.folded", Output::Folded, "b.off-cpu.folded"),
            ("b.json", Output::Firefox, "b.off-cpu.json"),
            ("b.c.txt", Output::Folded, "b.c.off-cpu.txt"),
            ("stacks", Output::Folded, "stacks.off-cpu"),
            (".svg", Output::Svg, ".off-cpu.svg"),
        ] {
            let found = with_part(Path::new(path), format, ".off-cpu");
            assert_eq!(found, Path::new(want), "{path}");
            assert_eq!(with_part(Path::new(path), format, ""), Path::new(path));
        }
    }
}
