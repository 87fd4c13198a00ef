//! CPU profiles of gperftools: machine words in the byte order of the writer.
//!
//! ```text
//! 0 3 0 PERIOD 0            header: 3 is the number of words that follow; the period in microseconds
//! COUNT DEPTH ADDR…         the number of samples of a stack, and the stack, innermost first
//! 0 1 0                     the end of the samples; the text of /proc/PID/maps follows
//! ```

use std::io::{self, BufRead, ErrorKind, Read};

use backsight_types::Lookup;

use super::build::LegacyBuilder;
use super::error::Error;
use super::sample_line::MAX_FRAMES;

/// The size and byte order of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Words {
    is_long: bool,
    is_big: bool,
}

/// The number of words in the header.
const HEADER: usize = 5;

impl Words {
    const ALL: [Self; 4] = [
        Self::new(false, false),
        Self::new(false, true),
        Self::new(true, false),
        Self::new(true, true),
    ];

    const fn new(is_long: bool, is_big: bool) -> Self {
        Self { is_long, is_big }
    }

    /// Returns the words with which a file starts with a valid header.
    pub(super) fn of(begin: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|words| {
            let mut begin = begin;
            let header = [(); HEADER].map(|()| words.next(&mut begin).ok().flatten());
            matches!(header, [Some(0), Some(3), Some(0 | 1), Some(period), Some(0)] if period > 0)
        })
    }

    /// Reads a word; `None` at the end of the input.
    fn next(self, input: &mut impl Read) -> io::Result<Option<u64>> {
        let mut bytes = [0; 8];
        let (half, _) = bytes.split_at_mut(4);
        let read = match self.is_long {
            true => input.read_exact(&mut bytes),
            false => input.read_exact(half),
        };
        match read {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let [a, b, c, d, ..] = bytes;
        Ok(Some(match (self.is_long, self.is_big) {
            (true, true) => u64::from_be_bytes(bytes),
            (true, false) => u64::from_le_bytes(bytes),
            (false, true) => u32::from_be_bytes([a, b, c, d]).into(),
            (false, false) => u32::from_le_bytes([a, b, c, d]).into(),
        }))
    }
}

/// Reads the samples up to their end.
pub(super) fn read(
    input: &mut impl BufRead,
    words: Words,
    builder: &mut LegacyBuilder,
) -> Result<(), Error> {
    let header = [(); HEADER].map(|()| words.next(input));
    let [_, _, java, period, _] = header;
    if java?.unwrap_or(0) != 0 {
        return Err(Error::Malformed(
            "a CPU profile of Java, which is not supported: give the recording it was converted from",
        ));
    }
    let period = period?.and_then(|it| i64::try_from(it).ok()?.checked_mul(1000));
    let period = period.ok_or(Error::Malformed("a period of more than 292 years"))?;
    builder.count(&[("samples", "count"), ("cpu", "nanoseconds")]);
    builder.period(("cpu", "nanoseconds"), period);
    let mut addrs = Vec::new();
    loop {
        let (Some(count), Some(depth)) = (words.next(input)?, words.next(input)?) else {
            builder
                .flaws
                .count("missing ends of the samples: the file was cut off");
            return Ok(());
        };
        let depth = usize::try_from(depth)
            .ok()
            .filter(|depth| *depth <= MAX_FRAMES);
        let Some(depth) = depth else {
            // The next stack cannot be found.
            builder
                .flaws
                .count("stacks of more than 65,536 addresses: all after them is lost");
            return Ok(());
        };
        addrs.clear();
        for _ in 0..depth {
            let Some(addr) = words.next(input)? else {
                builder
                    .flaws
                    .count("missing ends of the samples: the file was cut off");
                return Ok(());
            };
            addrs.push(addr);
        }
        if count == 0 && addrs == [0] {
            return Ok(());
        }
        sample(count, &mut addrs, period, builder);
    }
}

fn sample(count: u64, addrs: &mut Vec<u64>, period: i64, builder: &mut LegacyBuilder) {
    // The leaf is taken from the signal context, and unwinding may have found it a second time.
    if let [leaf, next, ..] = addrs.as_slice()
        && leaf == next
    {
        addrs.remove(0);
        builder.flaws.change("leaves that were recorded twice", 1);
    }
    let stack = builder.stack(addrs, Lookup::Exact);
    let count = i64::try_from(count).ok();
    let time = count.and_then(|count| count.checked_mul(period));
    let Some((count, time)) = count.zip(time) else {
        builder
            .flaws
            .count("samples whose time does not fit 63 bits");
        return;
    };
    builder.sample(&stack, None, &[count, time], &[]);
}
