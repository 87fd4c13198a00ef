//! Parses the output of a run of the suites, and judges the result.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;

use crate::libtest;

/// The prefix of lines that are not from the suites.
pub(super) const MARK: &str = "@@ ";

/// How many lines of a failed suite are shown; libtest prints a summary at its end.
const TAIL_LINES: usize = 100;

/// A run of all suites on one kernel.
#[derive(Debug, Default)]
pub(super) struct Report {
    release: String,
    machine: String,
    /// Whether the kernel supports the ioctl; unknown until it is printed.
    pub(super) answers: Option<bool>,
    passed: u64,
    failed: u64,
    skipped: BTreeSet<(String, String)>,
    /// The number of kernel modules that were loaded.
    pub(super) modules: usize,
    begun: Option<String>,
    ended: usize,
    /// The number of suites that printed a result.
    counted: usize,
    /// The number of failed tests of the running suite.
    failed_now: u64,
    done: bool,
    /// The last lines of the running suite.
    tail: VecDeque<String>,
    /// The last lines of failed suites.
    said: Vec<String>,
    /// The problems, one line each.
    wrong: Vec<String>,
}

impl Report {
    /// Adds a line.
    pub(super) fn read(&mut self, line: &str) {
        let line = line.trim_end();
        if self.tail.len() == TAIL_LINES {
            self.tail.pop_front();
        }
        self.tail.push_back(line.to_owned());
        if let Some(said) = line.strip_prefix(MARK) {
            let words: Vec<&str> = said.split(' ').collect();
            return self.marked(&words);
        }
        if let Some((passed, failed)) = libtest::result(line) {
            self.counted += 1;
            self.passed += passed;
            self.failed += failed;
            self.failed_now += failed;
        }
        if let Some((test, why)) = libtest::skip(line) {
            let test = format!("{}::{test}", self.suite());
            self.skipped.insert((test, why.to_owned()));
        }
        if let Some(test) = libtest::failure(line) {
            self.wrong.push(format!("{}::{test} failed", self.suite()));
        }
    }

    fn marked(&mut self, words: &[&str]) {
        match words {
            ["kernel", release, machine] => {
                (*release).clone_into(&mut self.release);
                (*machine).clone_into(&mut self.machine);
            }
            ["ioctl", "answers"] => self.answers = Some(true),
            ["ioctl", "refused", _] => self.answers = Some(false),
            ["module", _, "loaded"] => self.modules += 1,
            ["begin", suite] => {
                self.begun = Some((*suite).to_owned());
                self.failed_now = 0;
                self.tail.clear();
            }
            ["end", suite, status] => {
                self.ended += 1;
                // Status 101 means failed tests, which are counted separately.
                if *status != "0" {
                    self.said.extend(self.tail.drain(..));
                    if *status != "101" || self.failed_now == 0 {
                        self.wrong.push(format!("{suite} ended with {status}"));
                    }
                }
                self.begun = None;
            }
            ["done"] => self.done = true,
            _ => self.wrong.push(format!("said {words:?}")),
        }
    }

    /// Returns the name of the running suite without cargo's hash.
    fn suite(&self) -> &str {
        let suite = self.begun.as_deref().unwrap_or("?");
        suite.rsplit_once('-').map_or(suite, |(name, _)| name)
    }

    /// Adds a problem that is not in the output.
    pub(super) fn complain(&mut self, what: String) {
        self.wrong.push(what);
    }

    /// Returns the kernel's release and architecture.
    pub(super) fn kernel(&self) -> String {
        format!("Linux {} {}", self.release, self.machine)
    }

    /// Whether the run reached its end, with any result.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// Whether no suite ran a test, without any explanation: then the binaries do not work on
    /// that machine, for example because its C library is older. Status 126 means that the
    /// working directory is missing, which is a bug here.
    pub(super) fn ran_nothing(&self) -> bool {
        let is_folder = |what: &String| what.ends_with(" 126");
        self.done && self.ended > 0 && self.counted == 0 && !self.wrong.iter().any(is_folder)
    }

    /// Returns the last lines of failed suites.
    pub(super) fn said(&self) -> impl Iterator<Item = &str> {
        let hung = self.begun.is_some().then_some(&self.tail);
        let said = self.said.iter().chain(hung.into_iter().flatten());
        said.map(String::as_str)
    }

    /// Checks the run against what is expected: the number of suites, and whether the ioctl is
    /// supported.
    pub(super) fn expect(&mut self, suites: usize, answers: Option<bool>) {
        if let Some(suite) = &self.begun {
            self.wrong.push(format!("{suite} did not end"));
        } else if !self.done {
            self.wrong.push("the kernel did not finish".to_owned());
        }
        if self.ended != suites {
            let ended = self.ended;
            self.wrong.push(format!("{ended} of {suites} suites ended"));
        }
        if self.counted < self.ended {
            let (counted, ended) = (self.counted, self.ended);
            let what = format!("{counted} of {ended} suites said what they came to");
            self.wrong.push(what);
        }
        if self.failed > 0 && self.wrong.is_empty() {
            self.wrong.push(format!("{} tests failed", self.failed));
        }
        if answers.is_some() && answers != self.answers {
            self.wrong.push("the ioctl is not as expected".to_owned());
        }
    }

    /// Whether everything is as expected.
    pub(super) fn succeeded(&self) -> bool {
        self.wrong.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let backend = match self.answers {
            Some(true) => "ioctl and text",
            Some(false) => "text only",
            None => "?",
        };
        let tests: BTreeSet<&str> = self.skipped.iter().map(|(test, _)| test.as_str()).collect();
        let skipped = tests.len() as u64;
        let passed = self.passed.saturating_sub(skipped);
        let kernel = format!("Linux {}", self.release);
        write!(f, "{kernel:<38} {:<8} {backend:<14} ", self.machine)?;
        write!(
            f,
            "{passed} passed, {} failed, {skipped} skipped",
            self.failed
        )?;
        for (test, why) in &self.skipped {
            write!(f, "\n    skipped {test}: {why}")?;
        }
        for what in &self.wrong {
            write!(f, "\n    WRONG: {what}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Report;

    fn of(text: &str) -> Report {
        let mut report = Report::default();
        text.lines().for_each(|line| report.read(line));
        report
    }

    const GOOD: &str = "\
        [    0.000000] a line of the kernel\r\n\
        @@ kernel 6.1.0-9-cloud-amd64 x86_64\r\n\
        @@ ioctl refused 25\r\n\
        @@ begin open-01ab\r\n\
        running 3 tests\r\n\
        test one ... SKIPPED two: no cat\r\n\
        SKIPPED two: no dog\r\n\
        test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\r\n\
        @@ end open-01ab 0\r\n";

    #[test]
    fn a_good_run_is_one_line_and_its_skips() {
        let mut report = of(&format!("{GOOD}@@ done\r\n"));
        report.expect(1, Some(false));
        assert!(report.succeeded(), "{report}");
        let text = report.to_string();
        let words: Vec<&str> = text.lines().next().unwrap().split_whitespace().collect();
        let want = "Linux 6.1.0-9-cloud-amd64 x86_64 text only 2 passed, 0 failed, 1 skipped";
        assert_eq!(words.join(" "), want);
        assert!(text.contains("\n    skipped open::two: no cat"), "{text}");
        assert_eq!(report.said().count(), 0);
        assert!(report.is_done() && !report.ran_nothing());
    }

    #[test]
    fn the_last_lines_of_a_failed_suite_are_kept() {
        let failed = "@@ begin a-1\n---- x stdout ----\nwhy\ntest x ... FAILED\n\
                      test result: FAILED. 0 passed; 1 failed\n@@ end a-1 101\n@@ done";
        let mut report = of(&format!("{GOOD}{failed}"));
        report.expect(2, None);
        let text = report.to_string();
        assert!(text.ends_with("\n    WRONG: a::x failed"), "{text}");
        assert_eq!(report.said().nth(1), Some("why"));

        let hung = format!("{GOOD}@@ begin a-1\n{}", "line\n".repeat(1000));
        assert_eq!(of(&hung).said().count(), super::TAIL_LINES);
    }

    #[test]
    fn suites_that_cannot_run_are_distinguished_from_failures() {
        let with = |status| of(&format!("@@ begin a\n@@ end a {status}\n@@ done"));
        assert!(with(1).ran_nothing());
        assert!(with(127).ran_nothing());
        assert!(!with(126).ran_nothing());
        assert!(!of(&format!("{GOOD}@@ done")).ran_nothing());
    }

    #[test]
    fn anything_missing_is_a_problem() {
        let cases = [
            ("no end", "", Some(false), "the kernel did not finish"),
            ("another kernel", "@@ done", Some(true), "not as expected"),
            (
                "a crash",
                "@@ begin a\n@@ end a 139\n@@ done",
                None,
                "a ended with 139",
            ),
            (
                "a suite too many",
                "@@ begin a\n@@ end a 0\n@@ done",
                None,
                "2 of 1 suites",
            ),
            (
                "no count",
                "@@ begin a\n@@ end a 0\n@@ done",
                None,
                "1 of 2 suites said",
            ),
            (
                "101 without a failure",
                "@@ begin a\n@@ end a 101\n@@ done",
                None,
                "a ended with 101",
            ),
            ("a hang", "@@ begin a", None, "a did not end"),
            (
                "a failure",
                "test x ... FAILED\n@@ done",
                None,
                "::x failed",
            ),
            (
                "a count alone",
                "test result: FAILED. 0 passed; 1 failed\n@@ done",
                None,
                "1 tests",
            ),
        ];
        for (name, more, answers, want) in cases {
            let mut report = of(&format!("{GOOD}{more}"));
            report.expect(1, answers);
            assert!(!report.succeeded(), "{name}");
            assert!(report.to_string().contains(want), "{name}: {report}");
        }
    }
}
