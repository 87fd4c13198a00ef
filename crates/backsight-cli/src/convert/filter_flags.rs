//! The flags that choose samples and frames.

use backsight_profile::Profile;
use backsight_report::{CodeSpace, NamePattern, SampleFilter};

use super::waits;
use crate::args::{Pids, all_pids, parse_pids};
use crate::failure::{Failure, Result};

/// Which samples and frames of a profile are taken.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Filters")]
pub(super) struct FilterFlags {
    /// Samples of these processes
    #[arg(long = "pid", value_name = "PID", value_parser = parse_pids)]
    pids: Vec<Pids>,

    /// Samples of these threads
    #[arg(long = "tid", value_name = "TID", value_parser = parse_pids)]
    tids: Vec<Pids>,

    /// Samples of threads of this name; repeat it for several
    #[arg(long = "comm", value_name = "NAME")]
    comms: Vec<String>,

    /// Samples from START to before END: in seconds after the first sample, or in percent of the
    /// time between the first and the last one. `,5`, `2.5,`, `10%,20%`
    #[arg(long = "time", value_name = "START,END", value_parser = parse_span)]
    time: Option<Span>,

    /// Samples of threads that run, of a recording with --off-cpu
    #[arg(long, conflicts_with_all = ["off_cpu", "event", "sample_type"])]
    on_cpu: bool,

    /// Samples of threads that do not run, by how long, of a recording with --off-cpu
    #[arg(long, conflicts_with_all = ["event", "sample_type"])]
    off_cpu: bool,

    /// Samples with a frame in a module whose path matches
    #[arg(long, value_name = "REGEX", value_parser = parse_regex)]
    pub(super) module: Option<NamePattern>,

    /// Samples with a frame whose function matches
    #[arg(long, value_name = "REGEX", value_parser = parse_regex)]
    pub(super) function: Option<NamePattern>,

    /// Only frames of user space
    #[arg(long, conflicts_with = "kernel")]
    user: bool,

    /// Only frames of the kernel
    #[arg(long)]
    kernel: bool,

    /// Samples with a frame whose function, source file or module matches, as pprof's -focus
    #[arg(long, value_name = "REGEX", value_parser = parse_regex)]
    focus: Option<NamePattern>,

    /// Not the samples with a frame whose function, source file or module matches, as pprof's
    /// -ignore
    #[arg(long, value_name = "REGEX", value_parser = parse_regex)]
    ignore: Option<NamePattern>,

    /// Take frames whose function, source file or module matches out of their stacks, as pprof's
    /// -hide
    #[arg(long, value_name = "REGEX", value_parser = parse_regex)]
    hide: Option<NamePattern>,

    /// Take so many frames of each stack, from the outermost on
    #[arg(long, value_name = "FRAMES")]
    max_depth: Option<usize>,

    /// Show all threads of a process as one
    #[arg(long)]
    merge_threads: bool,
}

/// The filters of these flags for one profile.
pub(super) struct Filters {
    /// RowKind process, thread and time, which needs no names.
    pub(super) tasks: SampleFilter,
    /// RowKind the frames of stacks.
    pub(super) stacks: SampleFilter,
}

impl FilterFlags {
    pub(super) fn takes_all(&self) -> bool {
        self.tasks().takes_all()
            && self.stacks().takes_all()
            && self.time.is_none()
            && self.waiting().is_none()
    }

    /// Returns the flags that leave samples or frames out.
    pub(super) fn given(&self) -> Vec<&'static str> {
        let flags = [
            ("--pid", !self.pids.is_empty()),
            ("--tid", !self.tids.is_empty()),
            ("--comm", !self.comms.is_empty()),
            ("--time", self.time.is_some()),
            ("--on-cpu", self.on_cpu),
            ("--off-cpu", self.off_cpu),
            ("--module", self.module.is_some()),
            ("--function", self.function.is_some()),
            ("--user", self.user),
            ("--kernel", self.kernel),
            ("--focus", self.focus.is_some()),
            ("--ignore", self.ignore.is_some()),
            ("--hide", self.hide.is_some()),
            ("--max-depth", self.max_depth.is_some()),
        ];
        let given = flags.into_iter().filter(|(_, is_given)| *is_given);
        given.map(|(flag, _)| flag).collect()
    }

    /// Returns these flags without others.
    pub(super) fn keeping(&self, kept: &[&str]) -> Self {
        let has = |flag| kept.contains(&flag);
        let all = |of: &Vec<Pids>, flag| match has(flag) {
            true => of.clone(),
            false => Vec::new(),
        };
        let regex = |of: &Option<NamePattern>, flag| of.clone().filter(|_| has(flag));
        Self {
            pids: all(&self.pids, "--pid"),
            tids: all(&self.tids, "--tid"),
            comms: match has("--comm") {
                true => self.comms.clone(),
                false => Vec::new(),
            },
            time: self.time.filter(|_| has("--time")),
            on_cpu: self.on_cpu,
            off_cpu: self.off_cpu,
            module: regex(&self.module, "--module"),
            function: regex(&self.function, "--function"),
            user: self.user && has("--user"),
            kernel: self.kernel && has("--kernel"),
            focus: regex(&self.focus, "--focus"),
            ignore: regex(&self.ignore, "--ignore"),
            hide: regex(&self.hide, "--hide"),
            max_depth: self.max_depth.filter(|_| has("--max-depth")),
            merge_threads: self.merge_threads,
        }
    }

    /// Returns what to say if the profile does not tell which code is of the kernel: then all of it
    /// counts as user space.
    pub(super) fn lacks_spaces(&self, profile: &Profile) -> Option<String> {
        let flag = match (self.user, self.kernel) {
            (true, _) => "--user",
            (_, true) => "--kernel",
            _ => return None,
        };
        let is_told = profile.locations.iter().any(|of| of.kind.is_some());
        let what = "the input does not say which code is of the kernel, and all of it counts as user \
                    space";
        (!is_told && !profile.locations.is_empty()).then(|| format!("{flag}: {what}"))
    }

    pub(super) fn needs_time(&self) -> bool {
        self.time.is_some()
    }

    /// Whether samples of threads that wait are taken, or of those that run; `None` for both.
    fn waiting(&self) -> Option<bool> {
        match (self.on_cpu, self.off_cpu) {
            (true, _) => Some(false),
            (_, true) => Some(true),
            _ => None,
        }
    }

    /// Takes the samples of threads that run or wait. Returns how many are left out.
    pub(super) fn take_waiting(&self, profile: &mut Profile) -> Result<u64> {
        let Some(waiting) = self.waiting() else {
            return Ok(0);
        };
        let flag = if waiting { "--off-cpu" } else { "--on-cpu" };
        waits::take(profile, waiting).map_err(|cause| Failure::Failed(format!("{flag}: {cause}")))
    }

    /// Returns the filters for a profile.
    pub(super) fn of(&self, profile: &Profile) -> Result<Filters> {
        self.check_tasks(profile)?;
        let mut tasks = self.tasks();
        if let Some(span) = self.time {
            let times = || {
                profile
                    .samples
                    .iter()
                    .filter_map(|(sample, ..)| sample.time_ns)
            };
            let Some((first, last)) = times().min().zip(times().max()) else {
                let message = "--time: the samples of the input have no times";
                return Err(Failure::Failed(message.to_owned()));
            };
            let whole = last.saturating_sub(first);
            tasks.from_ns = span.start.map(|at| at.nanoseconds(whole));
            // The last sample is at 100 %, and belongs to the whole.
            let end = span.end.filter(|end| !end.is_whole());
            tasks.to_ns = end.map(|at| at.nanoseconds(whole));
        }
        Ok(Filters {
            tasks,
            stacks: self.stacks(),
        })
    }

    /// Checks that the samples have what the filters on processes and threads ask for.
    fn check_tasks(&self, profile: &Profile) -> Result<()> {
        if profile.samples.is_empty() {
            return Ok(());
        }
        let threads = profile.samples.iter().map(|(sample, ..)| sample.thread);
        let mut threads = threads.filter_map(|thread| profile.thread(thread?));
        let first = threads.next();
        let has_tid = first.is_some_and(|first| first.tid.is_some())
            || threads.any(|thread| thread.tid.is_some());
        let of_input = "; some formats have none, such as folded stacks, where the process may be \
                        the outermost frame: take it with --focus";
        for (flag, is_given, has_it, what) in [
            ("--pid", !self.pids.is_empty(), first.is_some(), "processes"),
            ("--tid", !self.tids.is_empty(), has_tid, "threads"),
            ("--comm", !self.comms.is_empty(), first.is_some(), "threads"),
        ] {
            if is_given && !has_it {
                let cause = format!("the samples of the input have no {what}{of_input}");
                return Err(Failure::Failed(format!("{flag}: {cause}")));
            }
        }
        Ok(())
    }

    fn tasks(&self) -> SampleFilter {
        let mut filter = SampleFilter::default();
        filter.pids = all_pids(&self.pids);
        filter.tids = all_pids(&self.tids);
        filter.comms.clone_from(&self.comms);
        filter.merge_threads = self.merge_threads;
        filter
    }

    fn stacks(&self) -> SampleFilter {
        let mut filter = SampleFilter::default();
        filter.module.clone_from(&self.module);
        filter.function.clone_from(&self.function);
        filter.focus.clone_from(&self.focus);
        filter.ignore.clone_from(&self.ignore);
        filter.hide.clone_from(&self.hide);
        filter.max_depth = self.max_depth;
        filter.space = match (self.user, self.kernel) {
            (true, _) => Some(CodeSpace::User),
            (_, true) => Some(CodeSpace::Kernel),
            _ => None,
        };
        filter
    }
}

/// Parses a regular expression for clap.
pub(crate) fn parse_regex(text: &str) -> Result<NamePattern, String> {
    NamePattern::new(text).map_err(|error| error.to_string())
}

/// A span of time.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Span {
    start: Option<Point>,
    end: Option<Point>,
}

/// A time after the first sample.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Point {
    Seconds(f64),
    /// Of the time between the first and the last sample.
    Percent(f64),
}

impl Point {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a time is given with a few digits, is not negative, and saturates"
    )]
    fn nanoseconds(self, whole: u64) -> u64 {
        match self {
            Self::Seconds(seconds) => (seconds * 1e9) as u64,
            Self::Percent(percent) => (percent / 100.0 * whole as f64) as u64,
        }
    }
}

fn parse_span(text: &str) -> Result<Span, String> {
    let wrong = || "two times and a comma, of which one may be missing: 2.5,10 or 10%,".to_owned();
    let (start, end) = text.split_once(',').ok_or_else(wrong)?;
    let point = |text: &str| match text.trim() {
        "" => Ok(None),
        text => {
            let (number, is_percent) = match text.strip_suffix('%') {
                Some(number) => (number, true),
                None => (text.strip_suffix('s').unwrap_or(text), false),
            };
            let number: f64 = number.parse().map_err(|_| wrong())?;
            if !number.is_finite() || number < 0.0 {
                return Err(wrong());
            }
            Ok(Some(match is_percent {
                true => Point::Percent(number),
                false => Point::Seconds(number),
            }))
        }
    };
    let span = Span {
        start: point(start)?,
        end: point(end)?,
    };
    match span {
        Span {
            start: None,
            end: None,
        } => Err(wrong()),
        Span {
            start: Some(start),
            end: Some(end),
        } if start.nanoseconds(1 << 40) >= end.nanoseconds(1 << 40) && start.is_like(end) => {
            Err("the first time is not before the second".to_owned())
        }
        span => Ok(span),
    }
}

impl Point {
    fn is_whole(self) -> bool {
        matches!(self, Self::Percent(percent) if percent >= 100.0)
    }

    fn is_like(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

#[cfg(test)]
mod tests {
    use super::{Point, Span, parse_span};

    #[test]
    fn spans_are_seconds_or_percent() {
        let span = |start, end| Ok(Span { start, end });
        let seconds = |it| Some(Point::Seconds(it));
        assert_eq!(parse_span("1,2.5"), span(seconds(1.0), seconds(2.5)));
        assert_eq!(parse_span(",5s"), span(None, seconds(5.0)));
        let percent = Some(Point::Percent(10.0));
        assert_eq!(parse_span("10%,"), span(percent, None));
        for wrong in [
            "", ",", "1", "a,b", "-1,2", "2,1", "1,1", "inf,", "nan,1", "1%%,",
        ] {
            assert!(parse_span(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Point::Percent(50.0).nanoseconds(7), 3);
        assert_eq!(Point::Seconds(1e300).nanoseconds(7), u64::MAX);
    }
}
