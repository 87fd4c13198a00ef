//! Parses the first line of a sample: thread, time and event, as far as printed.

/// The optional fields that the samples of a text have.
///
/// `perf script -F` selects them for the whole text. A line with fewer fields than earlier ones is
/// therefore damaged, and is not parsed as a different layout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) ids: bool,
    pub(super) time: bool,
    pub(super) event: bool,
}

impl Shape {
    /// All combinations; the least ambiguous come first.
    pub(super) const ALL: [Self; 8] = [
        Self::new(true, true, true),
        Self::new(true, true, false),
        Self::new(false, true, true),
        Self::new(false, true, false),
        Self::new(true, false, true),
        Self::new(true, false, false),
        Self::new(false, false, true),
        Self::new(false, false, false),
    ];

    const fn new(ids: bool, time: bool, event: bool) -> Self {
        Self { ids, time, event }
    }

    /// Whether this has all fields of `other`.
    pub(super) fn has_all_of(self, other: Self) -> bool {
        self.ids >= other.ids && self.time >= other.time && self.event >= other.event
    }
}

/// The first line of a sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SampleHead<'a> {
    pub(super) comm: &'a str,
    /// Process and thread ID.
    pub(super) ids: Option<(u32, u32)>,
    pub(super) time_ns: Option<u64>,
    pub(super) period: Option<i64>,
    pub(super) event: Option<&'a str>,
    /// The text after the event: the only frame, or the fields of a tracepoint.
    pub(super) rest: &'a str,
}

/// A line that is not indented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirstLine<'a> {
    Sample(SampleHead<'a>),
    /// A record that is not a sample, printed with options such as `--show-mmap-events`.
    Record,
}

/// The minimum width with which perf prints a period.
const PERIOD_WIDTH: usize = 10;

/// Parses the first line of a sample with these fields; `None` for any other line.
pub(super) fn parse(line: &str, shape: Shape) -> Option<FirstLine<'_>> {
    if shape.time {
        with_time(line, shape)
    } else if shape.ids {
        with_ids(line, shape)
    } else {
        without_ids(line, shape)
    }
}

/// Finds the time. A name can look like a time, so the text before it must end in an ID, if samples
/// have IDs.
fn with_time(line: &str, shape: Shape) -> Option<FirstLine<'_>> {
    let mut from = 0;
    loop {
        let (start, word, end) = next_word(line, from)?;
        from = end;
        let Some(time_ns) = time(word) else { continue };
        let before = line.get(..start)?;
        let found = match shape.ids {
            true => name_and_ids(before).map(|(comm, ids)| (comm, Some(ids))),
            false => Some((without_flags(before).trim_ascii(), None)),
        };
        if let Some((comm, ids)) = found
            && let Some(tail) = EventPart::read(line.get(end..)?, shape)
        {
            return Some(tail.after(comm, ids, Some(time_ns)));
        }
    }
}

/// Finds the first word that looks like an ID, and after which the rest can be parsed.
fn with_ids(line: &str, shape: Shape) -> Option<FirstLine<'_>> {
    let mut from = 0;
    loop {
        let (start, word, end) = next_word(line, from)?;
        from = end;
        let Some(ids) = ids(word) else { continue };
        let comm = line.get(..start)?.trim_ascii();
        let is_period = comm.is_empty() && end >= PERIOD_WIDTH && !word.contains('/');
        let last = comm.rsplit(' ').next().unwrap_or_default();
        if is_period || last.strip_suffix(':').is_some_and(is_like_time) {
            continue;
        }
        let rest = without_cpu(line.get(end..)?);
        if let Some(tail) = EventPart::read(rest, shape) {
            return Some(tail.after(comm, Some(ids), None));
        }
    }
}

/// Finds the shortest name after which the rest can be parsed.
fn without_ids(line: &str, shape: Shape) -> Option<FirstLine<'_>> {
    let mut from = 0;
    loop {
        let comm = line.get(..from)?;
        let rest = without_cpu(line.get(from..)?);
        if let Some(tail) = EventPart::read(rest, shape) {
            return Some(tail.after(without_flags(comm).trim_ascii(), None, None));
        }
        (_, _, from) = next_word(line, from)?;
    }
}

/// The part of the line after name, IDs and time.
#[derive(Clone, Copy, Debug)]
enum EventPart<'a> {
    Record,
    Sample {
        period: Option<i64>,
        event: Option<&'a str>,
        rest: &'a str,
    },
}

impl<'a> EventPart<'a> {
    fn read(text: &'a str, shape: Shape) -> Option<Self> {
        let Some((start, word, end)) = next_word(text, 0) else {
            let nothing = Self::Sample {
                period: None,
                event: None,
                rest: "",
            };
            return (!shape.event).then_some(nothing);
        };
        if word.starts_with("PERF_RECORD_") {
            return Some(Self::Record);
        }
        let period = word.parse::<i64>().ok();
        if !shape.event {
            // Without a time, only its width distinguishes a period from a part of an address or
            // name.
            let period = period.filter(|_| shape.time || end >= PERIOD_WIDTH);
            let rest = match period {
                Some(_) => text.get(end..)?,
                None => text,
            };
            let event = None;
            let is_over = without_words(rest).is_empty() || only_frame(rest).is_some();
            return is_over.then_some(Self::Sample {
                period,
                event,
                rest,
            });
        }
        let (name, end) = match period {
            Some(_) => {
                let (_, word, end) = next_word(text, end)?;
                (word, end)
            }
            None => (text.get(start..end)?, end),
        };
        let name = name.strip_suffix(':').filter(|name| !name.is_empty())?;
        (!is_like_time(name)).then_some(Self::Sample {
            period,
            event: Some(name),
            rest: text.get(end..)?,
        })
    }

    fn after(self, comm: &'a str, ids: Option<(u32, u32)>, time_ns: Option<u64>) -> FirstLine<'a> {
        match self {
            Self::Record => FirstLine::Record,
            Self::Sample {
                period,
                event,
                rest,
            } => FirstLine::Sample(SampleHead {
                comm,
                ids,
                time_ns,
                period,
                event,
                rest,
            }),
        }
    }
}

/// The words that `-F flags` prints before a frame.
const FLAGS: [&str; 18] = [
    "call", "return", "jcc", "jmp", "int", "iret", "syscall", "sysret", "async", "hw", "tx",
    "abrt", "tr", "strt", "end", "br", "miss", "exit",
];

/// Returns the frame on the first line of a sample without a call chain; `None` if there is none,
/// as with the fields of a tracepoint.
pub(super) fn only_frame(rest: &str) -> Option<&str> {
    let rest = without_words(rest);
    let (word, name) = rest
        .split_once(|c: char| c.is_ascii_whitespace())
        .unwrap_or((rest, ""));
    // Addresses of processes are long, and numbers in tracepoints are not followed by a name.
    let is_hex = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_frame = is_hex && (word.len() >= 8 || is_name(name.trim_ascii()));
    is_frame.then_some(rest)
}

/// Whether a text looks like a function, a file, or both.
fn is_name(text: &str) -> bool {
    text.ends_with(')') || (!text.is_empty() && !text.contains(' '))
}

/// Removes blanks and the flags of a branch from the start.
fn without_words(rest: &str) -> &str {
    let mut rest = rest.trim_ascii();
    while let Some(word) = rest.split_ascii_whitespace().next() {
        let is_flags = FLAGS.contains(&word);
        let Some(behind) = rest.get(word.len()..).filter(|_| is_flags) else {
            break;
        };
        rest = behind.trim_ascii_start();
    }
    rest
}

/// Returns the start of the next word, the word, and its end.
fn next_word(line: &str, from: usize) -> Option<(usize, &str, usize)> {
    let rest = line.get(from..)?;
    let trimmed = rest.trim_ascii_start();
    let start = line.len().checked_sub(trimmed.len())?;
    let word = trimmed.split_ascii_whitespace().next()?;
    Some((start, word, start.checked_add(word.len())?))
}

/// Parses `28296.545590:`, seconds with any number of decimal places; those after the ninth are
/// less than a nanosecond, and are dropped.
fn time(word: &str) -> Option<u64> {
    let (seconds, fraction) = word.strip_suffix(':')?.split_once('.')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(seconds) || !digits(fraction) {
        return None;
    }
    let fraction = fraction.get(..9).unwrap_or(fraction);
    let missing = u32::try_from(9_usize.checked_sub(fraction.len())?).ok()?;
    let scale = 10_u64.checked_pow(missing)?;
    let nanoseconds = fraction.parse::<u64>().ok()?.checked_mul(scale)?;
    let seconds = seconds.parse::<u64>().ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds)
}

/// Whether a word may be a damaged time, which is neither an event nor the end of a name.
fn is_like_time(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.')
}

/// Parses the name and IDs, which a processor number and flags may follow.
fn name_and_ids(before: &str) -> Option<(&str, (u32, u32))> {
    let rest = without_flags(before);
    let (comm, word) = rest
        .rsplit_once(|c: char| c.is_ascii_whitespace())
        .unwrap_or(("", rest));
    Some((comm.trim_ascii(), ids(word)?))
}

/// Removes the processor number, such as `[001]`, and the flags of `-F misc` from the end.
fn without_flags(before: &str) -> &str {
    let mut rest = before.trim_ascii_end();
    for _ in 0..2 {
        let (head, word) = rest
            .rsplit_once(|c: char| c.is_ascii_whitespace())
            .unwrap_or(("", rest));
        let is_flags = !head.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase());
        if is_cpu(word) || is_flags {
            rest = head.trim_ascii_end();
        }
    }
    rest
}

/// Removes them from the start.
fn without_cpu(behind: &str) -> &str {
    let mut rest = behind;
    for _ in 0..2 {
        let trimmed = rest.trim_ascii_start();
        let (word, tail) = trimmed
            .split_once(|c: char| c.is_ascii_whitespace())
            .unwrap_or((trimmed, ""));
        let is_flags = word.len() == 1 && word.bytes().all(|byte| byte.is_ascii_uppercase());
        if is_cpu(word) || is_flags {
            rest = tail;
        }
    }
    rest
}

fn is_cpu(word: &str) -> bool {
    let inside = word.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    inside.is_some_and(|it| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Parses `123/124`, or a single number for both.
fn ids(word: &str) -> Option<(u32, u32)> {
    Some(match word.split_once('/') {
        Some((pid, tid)) => (id(pid)?, id(tid)?),
        None => (id(word)?, id(word)?),
    })
}

/// Parses an ID; -1 is that of a process that is exiting.
fn id(text: &str) -> Option<u32> {
    text.parse().ok().or_else(|| {
        let id: i32 = text.parse().ok()?;
        Some(id.cast_unsigned())
    })
}

#[cfg(test)]
mod tests;
