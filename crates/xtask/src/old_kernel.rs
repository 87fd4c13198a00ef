//! Runs the whole suite with `PROCMAP_QUERY` failing.
//!
//! Results must be the same, because the text backend is equivalent to the ioctl. Tests that are
//! only about the ioctl find out by `testkit::kernel` that they must get a typed error.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::libtest;
use crate::root::root;
use testkit::old_kernel::{ERRNOS, errno_named, filter_command};

/// Builds without the filter, then runs `cargo test` under the filter once for each errno, and
/// returns a summary.
pub(crate) fn run(errno: &str, args: &[&str]) -> Result<String, String> {
    let errnos = match errno {
        "all" => ERRNOS.map(|errno| format!("{errno:?}")).to_vec(),
        _ if errno_named(errno).is_some() => vec![errno.to_owned()],
        _ => return Err(format!("old-kernel: one of {ERRNOS:?}, or all")),
    };
    let args = args.strip_prefix(&["--"]).unwrap_or(args);
    let built = cargo_test(args).arg("--no-run").status();
    if !built.is_ok_and(|status| status.success()) {
        return Err("old-kernel: the tests do not build".to_owned());
    }
    let runs: Result<Vec<Run>, String> = errnos.iter().map(|errno| run_one(errno, args)).collect();
    let runs = runs?;
    let lines: Vec<String> = runs.iter().map(Run::to_string).collect();
    match runs.iter().all(|run| run.succeeded) {
        true => Ok(lines.join("\n")),
        false => Err(lines.join("\n")),
    }
}

/// The result of one run of the suite.
#[derive(Debug, Default, PartialEq, Eq)]
struct Run {
    errno: String,
    succeeded: bool,
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
            ..
        } = self;
        let verdict = if self.succeeded { "ok" } else { "FAILED" };
        write!(f, "old-kernel {}: {verdict}, {passed} passed, ", self.errno)?;
        write!(f, "{failed} failed, {skipped} of the passed were skipped")
    }
}

impl Run {
    /// Counts a line of libtest, or one that reports a skip.
    fn count(&mut self, line: &str) {
        if libtest::skip(line).is_some() {
            self.skipped += 1;
        }
        if let Some((passed, failed)) = libtest::result(line) {
            self.passed += passed;
            self.failed += failed;
        }
    }
}

fn run_one(errno: &str, args: &[&str]) -> Result<Run, String> {
    let number = errno_named(errno).ok_or("a known errno")?;
    let mut command = cargo_test(args);
    command.env("BACKSIGHT_OLD_KERNEL", errno);
    filter_command(&mut command, number);
    let mut cargo = command
        .arg("--no-fail-fast")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|why| format!("cargo test: {why}"))?;
    let mut run = Run {
        errno: errno.to_owned(),
        ..Run::default()
    };
    // Read both pipes at once, because a full one would block the tests.
    let stderr = cargo.stderr.take().map(BufReader::new);
    let reader = std::thread::spawn(move || {
        let mut skips = Run::default();
        for line in stderr
            .into_iter()
            .flat_map(BufRead::lines)
            .map_while(Result::ok)
        {
            skips.count(&line);
            eprintln!("{line}");
        }
        skips.skipped
    });
    let stdout = cargo.stdout.take().map(BufReader::new);
    for line in stdout
        .into_iter()
        .flat_map(BufRead::lines)
        .map_while(Result::ok)
    {
        run.count(&line);
        println!("{line}");
    }
    run.skipped += reader.join().map_err(|_| "the reader of stderr failed")?;
    run.succeeded = cargo.wait().is_ok_and(|status| status.success());
    Ok(run)
}

/// Returns `cargo test ARGS`, for the whole workspace unless they select packages.
fn cargo_test(args: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root()).arg("test");
    if !args
        .iter()
        .any(|arg| arg.starts_with("-p") || *arg == "--package")
    {
        command.arg("--workspace");
    }
    command.args(args);
    command
}

#[cfg(test)]
mod tests {
    use super::{Run, run};

    #[test]
    fn results_and_skips_are_summed() {
        let mut all = Run::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out",
            "SKIPPED a::b: no readelf",
            "test result: FAILED. 20 passed; 1 failed; 0 ignored; 0 measured; 4 filtered out",
        ] {
            all.count(line);
        }
        assert_eq!((all.passed, all.failed, all.skipped), (23, 1, 1));
    }

    #[test]
    fn an_unknown_errno_is_rejected() {
        assert!(run("EBADF", &[]).is_err());
    }
}
