//! Test inputs in the repository.

use std::path::{Path, PathBuf};

/// Returns the path of a file in `fixtures/`, such as `maps/x86-64.maps`.
#[must_use]
pub fn fixture_path(name: &str) -> PathBuf {
    // Every crate that uses fixtures is two levels below the root. The path is joined by name
    // rather than `..`, so that messages show a readable path.
    let crate_folder = crate_folder();
    let root = crate_folder.ancestors().nth(2);
    root.unwrap_or(Path::new(".")).join("fixtures").join(name)
}

/// Returns the directory of the crate whose test runs, from the environment that cargo sets for
/// tests. It may differ from that at build time, if the tree or the test was moved.
fn crate_folder() -> PathBuf {
    let said = std::env::var_os("CARGO_MANIFEST_DIR");
    said.map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

/// Returns the content of a file in `fixtures/`.
///
/// # Panics
/// When there is no such file.
#[must_use]
pub fn fixture(name: &str) -> Vec<u8> {
    let path = fixture_path(name);
    std::fs::read(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::{fixture, fixture_path};
    use crate::{maps, naive};

    /// Returns the names of the fixtures that a kernel could have printed.
    fn texts() -> Vec<String> {
        let files = std::fs::read_dir(fixture_path("maps")).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != "torn.maps").collect()
    }

    #[test]
    fn maps_texts_match_the_kernel_s_format() {
        for name in texts() {
            // A 32-bit kernel has another column; a name with the four characters `\012` is read
            // like one with a newline, and is printed the same again.
            if name == "i386-kernel.maps" {
                continue;
            }
            let text = fixture(&format!("maps/{name}"));
            let lines: Vec<_> = naive::lines(&text).collect();
            assert_eq!(
                maps::text(&lines).escape_ascii().to_string(),
                text.escape_ascii().to_string(),
                "{name}"
            );
        }
    }

    #[test]
    fn ranges_rise_in_every_text_but_the_torn_one() {
        let rises = |text: &[u8]| {
            let lines: Vec<_> = naive::lines(text).collect();
            let forward = lines.iter().all(|line| line.start < line.end);
            forward && lines.windows(2).all(|pair| pair[0].end <= pair[1].start)
        };
        for name in texts() {
            assert!(rises(&fixture(&format!("maps/{name}"))), "{name}");
        }
        assert!(!rises(&fixture("maps/torn.maps")));
    }

    #[test]
    fn both_32_bit_texts_are_equal() {
        let lines = |name| naive::lines(&fixture(name)).collect::<Vec<_>>();
        assert_eq!(lines("maps/i386.maps"), lines("maps/i386-kernel.maps"));
    }
}
