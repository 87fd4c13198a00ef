//! Reports skipped tests.

use std::io::Write;
use std::os::fd::AsFd;

/// Reports on stderr that the running test is skipped, and why; the caller returns.
///
/// The line is written directly to the file descriptor: libtest captures `eprintln!` and would
/// hide it, because the test counts as passed.
///
/// # Panics
/// When `BACKSIGHT_NO_SKIP` is set. CI sets it, for it installs all the tools
/// and has the privileges.
pub fn skip(reason: &str) {
    let line = line(std::thread::current().name(), reason);
    assert!(std::env::var_os("BACKSIGHT_NO_SKIP").is_none(), "{line}");
    let stderr = std::io::stderr().as_fd().try_clone_to_owned();
    let _ = stderr.map(|fd| std::fs::File::from(fd).write_all(line.as_bytes()));
}

/// Returns the line, so that it is written at once and tests running in parallel do not mix
/// theirs.
fn line(test: Option<&str>, reason: &str) -> String {
    format!("SKIPPED {}: {reason}\n", test.unwrap_or("?"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_line_names_test_and_reason() {
        let line = super::line(Some("vma::dies"), "no cc");
        assert_eq!(line, "SKIPPED vma::dies: no cc\n");
    }
}
