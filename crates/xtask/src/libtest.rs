//! Parses the output of libtest.

/// Returns the number of passed and failed tests of a summary line.
pub(crate) fn result(line: &str) -> Option<(u64, u64)> {
    // `test result: ok. 3 passed; 0 failed; …`
    let counts = line.strip_prefix("test result: ")?;
    let words: Vec<&str> = counts.split(|c: char| !c.is_alphanumeric()).collect();
    let of = |what| {
        let pair = words.windows(2).find(|pair| pair[1] == what);
        pair.and_then(|pair| pair[0].parse().ok())
    };
    Some((of("passed")?, of("failed")?))
}

/// Returns the test and the reason of a line that reports a skip.
///
/// On a console, it may follow an unfinished line of libtest.
pub(crate) fn skip(line: &str) -> Option<(&str, &str)> {
    let (_, said) = line.split_once("SKIPPED ")?;
    said.split_once(": ")
}

/// Returns the name of the failed test of a line that reports one.
pub(crate) fn failure(line: &str) -> Option<&str> {
    line.strip_prefix("test ")?.strip_suffix(" ... FAILED")
}

#[cfg(test)]
mod tests {
    use super::{failure, result, skip};

    #[test]
    fn lines_are_parsed() {
        let line = "test result: FAILED. 20 passed; 1 failed; 0 ignored; 0 measured";
        assert_eq!(result(line), Some((20, 1)));
        assert_eq!(result("test result: "), None);
        assert_eq!(skip("SKIPPED a::b: no cc: x"), Some(("a::b", "no cc: x")));
        let behind = "test a::b ... SKIPPED a::b: no cc";
        assert_eq!(skip(behind), Some(("a::b", "no cc")));
        assert_eq!(failure("test a::b ... FAILED"), Some("a::b"));
        assert_eq!(failure("test a::b ... ok"), None);
    }
}
