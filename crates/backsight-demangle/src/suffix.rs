//! Suffixes that linkers and compilers append to a mangled name.

/// Splits off a symbol's version, including the `@` or `@@`.
pub(crate) fn split_version(name: &str) -> (&str, &str) {
    let at = name.find('@').unwrap_or(name.len());
    name.split_at_checked(at).unwrap_or((name, ""))
}

/// Returns the clones in a suffix: `.constprop.0` and `.cold` of `.constprop.0.cold`.
///
/// A clone is a dot, a word, and any numbers after it. Anything else is one clone up to the end.
pub(crate) fn clones(suffix: &str) -> impl Iterator<Item = &str> {
    let mut rest = suffix;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let bytes = clone_bytes(rest).unwrap_or(rest.len());
        let (clone, behind) = rest.split_at_checked(bytes)?;
        rest = behind;
        Some(clone)
    })
}

fn clone_bytes(text: &str) -> Option<usize> {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    let mut bytes = part_bytes(text, is_word)?;
    if bytes == 1 {
        // Only a number, without a word.
        bytes = part_bytes(text, |byte| byte.is_ascii_digit())?;
    }
    if bytes == 1 {
        return None;
    }
    while let Some(number) = text.get(bytes..).and_then(number_bytes) {
        bytes = bytes.checked_add(number)?;
    }
    let is_clone = text.len() == bytes || text.get(bytes..)?.starts_with('.');
    is_clone.then_some(bytes)
}

fn number_bytes(text: &str) -> Option<usize> {
    part_bytes(text, |byte| byte.is_ascii_digit()).filter(|bytes| *bytes > 1)
}

/// Returns the length of a dot and the `allowed` bytes after it.
fn part_bytes(text: &str, allowed: impl Fn(u8) -> bool) -> Option<usize> {
    let behind = text.strip_prefix('.')?;
    let count = behind.bytes().take_while(|byte| allowed(*byte)).count();
    count.checked_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_are_told_apart() {
        let cases: [(&str, &[&str]); 7] = [
            ("", &[]),
            (".cold", &[".cold"]),
            (".constprop.0.cold", &[".constprop.0", ".cold"]),
            (".part.0.isra.12", &[".part.0", ".isra.12"]),
            (".llvm.1234567", &[".llvm.1234567"]),
            (".7", &[".7"]),
            (".cold.Two.3", &[".cold", ".Two.3"]),
        ];
        for (suffix, want) in cases {
            assert_eq!(clones(suffix).collect::<Vec<_>>(), want, "{suffix}");
        }
    }

    #[test]
    fn versions_are_split_off() {
        assert_eq!(split_version("_Z1fv@@V1"), ("_Z1fv", "@@V1"));
        assert_eq!(split_version("_Z1fv@V1"), ("_Z1fv", "@V1"));
        assert_eq!(split_version("_Z1fv"), ("_Z1fv", ""));
    }
}
