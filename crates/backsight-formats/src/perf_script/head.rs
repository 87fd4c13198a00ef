//! The line that begins a sample: who, when, and of which event.

/// A sample's first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head<'a> {
    pub(super) comm: &'a str,
    pub(super) pid: u32,
    pub(super) tid: u32,
    pub(super) time_ns: u64,
    pub(super) period: Option<i64>,
    pub(super) event: &'a str,
    /// What stands behind the event: the only frame, or words about it.
    pub(super) rest: &'a str,
}

/// What a line that begins at its margin is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First<'a> {
    Sample(Head<'a>),
    /// A record that `--show-mmap-events` and its like print.
    Record,
}

/// Reads the first line of a sample; `None` for any other line.
pub(super) fn parse(line: &str) -> Option<First<'_>> {
    let mut from = 0;
    // A name may look like a time; what precedes the time must look like an ID.
    loop {
        let (start, word, end) = next_word(line, from)?;
        if let Some(time_ns) = time(word)
            && let Some((comm, (pid, tid))) = who(line.get(..start)?)
        {
            return event(line.get(end..)?).map(|event| match event {
                None => First::Record,
                Some((period, event, rest)) => First::Sample(Head {
                    comm,
                    pid,
                    tid,
                    time_ns,
                    period,
                    event,
                    rest,
                }),
            });
        }
        from = end;
    }
}

/// Returns where the next word begins and ends, and the word.
fn next_word(line: &str, from: usize) -> Option<(usize, &str, usize)> {
    let rest = line.get(from..)?;
    let trimmed = rest.trim_ascii_start();
    let start = line.len().checked_sub(trimmed.len())?;
    let word = trimmed.split_ascii_whitespace().next()?;
    Some((start, word, start.checked_add(word.len())?))
}

/// Reads `28296.545590:`, seconds with six or nine digits behind the point.
fn time(word: &str) -> Option<u64> {
    let (seconds, fraction) = word.strip_suffix(':')?.split_once('.')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(seconds) || !digits(fraction) || seconds.is_empty() {
        return None;
    }
    let scale = match fraction.len() {
        6 => 1000,
        9 => 1,
        _ => return None,
    };
    let nanoseconds = fraction.parse::<u64>().ok()?.checked_mul(scale)?;
    let seconds = seconds.parse::<u64>().ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds)
}

/// Reads name and IDs, which the processor and words of flags may follow.
fn who(before: &str) -> Option<(&str, (u32, u32))> {
    let mut rest = before.trim_ascii_end();
    // `[001]`, and what `-F misc` prints.
    for _ in 0..2 {
        let (head, word) = rest.rsplit_once(|c: char| c.is_ascii_whitespace())?;
        let is_cpu = word.starts_with('[') && word.ends_with(']');
        if is_cpu || word.bytes().all(|byte| byte.is_ascii_uppercase()) {
            rest = head.trim_ascii_end();
        }
    }
    let (comm, ids) = rest
        .rsplit_once(|c: char| c.is_ascii_whitespace())
        .unwrap_or(("", rest));
    let ids = match ids.split_once('/') {
        Some((pid, tid)) => (id(pid)?, id(tid)?),
        None => (id(ids)?, id(ids)?),
    };
    Some((comm.trim_ascii(), ids))
}

/// Reads an ID; -1 is that of a process that is about to be gone.
fn id(text: &str) -> Option<u32> {
    text.parse().ok().or_else(|| {
        let id: i32 = text.parse().ok()?;
        Some(id.cast_unsigned())
    })
}

/// Reads period, event and what follows. The inner `None` is a record.
fn event(rest: &str) -> Option<Option<(Option<i64>, &str, &str)>> {
    let (start, word, end) = next_word(rest, 0)?;
    if word.starts_with("PERF_RECORD_") {
        return Some(None);
    }
    let period = word.parse::<i64>().ok();
    let (name, end) = match period {
        Some(_) => {
            let (_, word, end) = next_word(rest, end)?;
            (word, end)
        }
        None => (rest.get(start..end)?, end),
    };
    let name = name.strip_suffix(':')?;
    Some(Some((period, name, rest.get(end..)?)))
}

#[cfg(test)]
mod tests {
    use super::{First, Head, parse};

    #[test]
    fn names_may_have_anything_in_them() {
        let head = |comm, pid, tid, period, event, rest| {
            Some(First::Sample(Head {
                comm,
                pid,
                tid,
                time_ns: 28_296_545_590_000,
                period,
                event,
                rest,
            }))
        };
        let cases = [
            (
                "w  8137 28296.545590:     500000 cpu-clock: ",
                head("w", 8137, 8137, Some(500_000), "cpu-clock", " "),
            ),
            (
                "  two (2)  81/82 [001] 28296.545590:  1 cycles:u:  1146 f (/x)",
                head("two (2)", 81, 82, Some(1), "cycles:u", "  1146 f (/x)"),
            ),
            (
                "a 1 2.5: x   -1 [000] 28296.545590000: sched:sched_switch: prev_comm=x",
                head(
                    "a 1 2.5: x",
                    u32::MAX,
                    u32::MAX,
                    None,
                    "sched:sched_switch",
                    " prev_comm=x",
                ),
            ),
            (
                "in  8288 U     28296.545590:    2000000 cpu-clock:   ",
                head("in", 8288, 8288, Some(2_000_000), "cpu-clock", "   "),
            ),
            (
                "sh  8288 28296.545590: PERF_RECORD_MMAP2 8288/8288: [0x1(0x2) @ 0]: r-xp /x",
                Some(First::Record),
            ),
            ("\t    1146 aim+0xd (/usr/bin/survey)", None),
            ("  survey.rs:33", None),
            ("no time 1 cycles:", None),
            ("28296.545590: cycles:", None),
            ("", None),
        ];
        for (line, want) in cases {
            assert_eq!(parse(line), want, "{line}");
        }
    }
}
