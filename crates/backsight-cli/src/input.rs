//! Reads addresses from the command line, or line by line from standard input.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::fd::AsFd;

use backsight_formats::address_list::{LineContent, MalformedEntry, Reader};
use backsight_types::{AbsAddr, Lookup};

use crate::args::{parse_addr, parse_pid};
use crate::failure::{Failure, Result, complain};

/// The addresses of a command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Addresses {
    /// Addresses in hexadecimal, with or without 0x; `-` reads them from standard input and
    /// answers line by line
    #[arg(value_name = "ADDR|-", value_parser = parse_entry)]
    list: Vec<Entry>,

    /// The addresses are a stack, innermost first: all but the first are return addresses, which
    /// are looked up one byte lower. On standard input, a blank line starts the next stack
    #[arg(long)]
    pub(crate) stack: bool,

    /// After the answers to each line of standard input, print one more line: TEXT, or an empty
    /// line. It tells a program that communicates through pipes where the answers end; in JSON
    /// it is {"type":"end","line":N}
    #[arg(long, value_name = "TEXT", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "")]
    pub(crate) end_mark: Option<String>,
}

/// Something between the addresses of standard input that gets an output line of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// An entry that is not an address.
    Malformed(MalformedEntry),
    /// The end of an input line, by number from 1.
    LineEnd(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Addr {
        addr: AbsAddr,
        /// The process ID that the same digits would be, if written without `0x`.
        pid: Option<u32>,
    },
    Stdin,
}

fn parse_entry(text: &str) -> Result<Entry, String> {
    if text == "-" {
        return Ok(Entry::Stdin);
    }
    let pid = parse_pid(text).ok();
    parse_addr(text).map(|addr| Entry::Addr { addr, pid })
}

/// Addresses that are answered together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) addrs: Vec<AbsAddr>,
    /// For each address: how to look it up.
    pub(crate) lookups: Vec<Lookup>,
    /// Each with the number of addresses before it.
    pub(crate) marks: Vec<(usize, Mark)>,
}

impl Batch {
    fn push(&mut self, addr: AbsAddr, lookup: Lookup) {
        self.addrs.push(addr);
        self.lookups.push(lookup);
    }

    /// Iterates over the addresses and how to look them up.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (AbsAddr, Lookup)> {
        let lookups = self.lookups.iter().copied();
        self.addrs.iter().copied().zip(lookups)
    }

    fn mark(&mut self, mark: Mark) {
        self.marks.push((self.addrs.len(), mark));
    }

    fn is_empty(&self) -> bool {
        self.addrs.is_empty() && self.marks.is_empty()
    }

    fn clear(&mut self) {
        self.addrs.clear();
        self.lookups.clear();
        self.marks.clear();
    }
}

impl Addresses {
    /// Returns whether no arguments are given, not even `-`.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Fails if no arguments are given.
    pub(crate) fn check_given(&self) -> Result<()> {
        match self.is_empty() {
            true => {
                let message = "no addresses given: `-` reads them from standard input";
                Err(Failure::Usage(message.to_owned()))
            }
            false => Ok(()),
        }
    }

    /// Returns all addresses; `None` if they come from standard input.
    pub(crate) fn all(&self) -> Option<Vec<AbsAddr>> {
        let addr = |entry: &Entry| match entry {
            Entry::Addr { addr, .. } => Some(*addr),
            Entry::Stdin => None,
        };
        self.list.iter().map(addr).collect()
    }

    /// Returns the arguments as process IDs, if each of them could be one.
    pub(crate) fn as_pids(&self) -> Option<Vec<u32>> {
        let pid = |entry: &Entry| match entry {
            Entry::Addr { pid, .. } => *pid,
            Entry::Stdin => None,
        };
        self.list.iter().map(pid).collect()
    }

    /// Reads addresses from standard input if no arguments are given.
    pub(crate) fn or_stdin(self) -> Self {
        if self.list.is_empty() {
            let list = vec![Entry::Stdin];
            return Self { list, ..self };
        }
        self
    }

    /// Calls `answer` for each batch, and returns the number of malformed entries.
    ///
    /// The addresses of a command line are one batch. A batch of standard input ends where
    /// reading on would block: a process that sends one line and waits gets its answer, and the
    /// lines of a file are answered in large batches. `answer` must flush.
    pub(crate) fn each_batch(self, answer: impl FnMut(&Batch) -> Result<()>) -> Result<u64> {
        if self.list == [Entry::Stdin] {
            let stdin = io::stdin().as_fd().try_clone_to_owned();
            let stdin = stdin.map_err(|error| Failure::io("standard input", &error))?;
            let ends = self.end_mark.is_some();
            return each_batch_of(File::from(stdin), self.stack, ends, answer);
        }
        self.command_line(answer)
    }

    fn command_line(self, mut answer: impl FnMut(&Batch) -> Result<()>) -> Result<u64> {
        let mut lookups = StackLookups::new(self.stack);
        let mut batch = Batch::default();
        for entry in self.list {
            let Entry::Addr { addr, .. } = entry else {
                let message = "`-` reads all addresses from standard input: give it alone";
                return Err(Failure::Usage(message.to_owned()));
            };
            batch.push(addr, lookups.next());
        }
        answer(&batch)?;
        Ok(0)
    }
}

fn each_batch_of(
    input: impl Read,
    stack: bool,
    marks_ends: bool,
    mut answer: impl FnMut(&Batch) -> Result<()>,
) -> Result<u64> {
    let mut lookups = StackLookups::new(stack);
    let mut reader = Reader::new(BufReader::new(input));
    let (mut entries, mut batch, mut malformed) = (Vec::new(), Batch::default(), 0);
    loop {
        let next = reader
            .read_line(&mut entries)
            .map_err(|error| Failure::io("standard input", &error))?;
        if next == LineContent::Blank {
            lookups = StackLookups::new(stack);
        }
        for entry in entries.drain(..) {
            match entry {
                Ok(addr) => batch.push(addr, lookups.next()),
                Err(wrong) => {
                    malformed += 1;
                    complain(format_args!("standard input, {wrong}"));
                    batch.mark(Mark::Malformed(wrong));
                }
            }
        }
        if marks_ends && next != LineContent::End {
            batch.mark(Mark::LineEnd(reader.line()));
        }
        let may_wait = !reader.get_ref().buffer().contains(&b'\n');
        if (may_wait || next == LineContent::End) && !batch.is_empty() {
            answer(&batch)?;
            batch.clear();
        }
        if next == LineContent::End {
            return Ok(malformed);
        }
    }
}

/// Tells which addresses of a stack are return addresses.
struct StackLookups {
    of_returns: bool,
    begun: bool,
}

impl StackLookups {
    fn new(of_returns: bool) -> Self {
        Self {
            of_returns,
            begun: false,
        }
    }

    fn next(&mut self) -> Lookup {
        let returns = self.of_returns && self.begun;
        self.begun = true;
        if returns {
            Lookup::Return
        } else {
            Lookup::Exact
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};

    use backsight_types::Lookup::{Exact, Return};

    use super::{Mark, each_batch_of};

    /// Returns one piece for each read, like a pipe with one write per piece.
    struct Pieces(Vec<&'static str>);

    impl Read for Pieces {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let piece = self.0.remove(0).as_bytes();
            room[..piece.len()].copy_from_slice(piece);
            Ok(piece.len())
        }
    }

    fn batches(pieces: &[&'static str], stack: bool) -> Vec<Vec<(u64, bool)>> {
        let mut all = Vec::new();
        let malformed = each_batch_of(Pieces(pieces.to_vec()), stack, false, |batch| {
            all.push(
                batch
                    .iter()
                    .map(|(addr, how)| (addr.0, how == Return))
                    .collect(),
            );
            Ok(())
        });
        assert_eq!(malformed.unwrap(), 0);
        all
    }

    #[test]
    fn a_batch_ends_where_reading_on_would_wait() {
        let cases = [
            ("line by line", vec!["1\n", "2\n"], vec![vec![1], vec![2]]),
            (
                "two at once",
                vec!["1\n2\n", "3\n"],
                vec![vec![1, 2], vec![3]],
            ),
            (
                "half a line",
                vec!["1\n2", "3\n"],
                vec![vec![1], vec![0x23]],
            ),
            ("no last end", vec!["1\n2"], vec![vec![1], vec![2]]),
            ("nothing", vec![], vec![]),
            ("only blanks", vec!["\n\n#x\n"], vec![]),
        ];
        for (name, pieces, want) in cases {
            let plain: Vec<Vec<u64>> = batches(&pieces, false)
                .into_iter()
                .map(|batch| batch.into_iter().map(|(addr, _)| addr).collect())
                .collect();
            assert_eq!(plain, want, "{name}");
        }
    }

    #[test]
    fn marks_keep_their_position_in_the_input() {
        let mut all = Vec::new();
        let input = Pieces(vec!["1 zz 2\n\n", "#x\nyy\n3"]);
        let malformed = each_batch_of(input, false, true, |batch| {
            let marks = batch.marks.iter().map(|(before, mark)| match mark {
                Mark::Malformed(entry) => (*before, entry.text.clone()),
                Mark::LineEnd(line) => (*before, format!("end of {line}")),
            });
            all.push(marks.collect::<Vec<_>>());
            Ok(())
        });
        assert_eq!(malformed.unwrap(), 2);
        let mark = |before: usize, text: &str| (before, text.to_owned());
        let want = [
            vec![mark(1, "zz"), mark(2, "end of 1"), mark(2, "end of 2")],
            vec![mark(0, "end of 3"), mark(0, "yy"), mark(0, "end of 4")],
            vec![mark(1, "end of 5")],
        ];
        assert_eq!(all, want);
    }

    #[test]
    fn a_blank_line_begins_the_next_stack() {
        let got = batches(&["1\n2 3\n# same stack\n4\n\n5\n6\n"], true);
        let want = [
            (1, Exact),
            (2, Return),
            (3, Return),
            (4, Return),
            (5, Exact),
            (6, Return),
        ];
        assert_eq!(got.concat(), want.map(|(addr, how)| (addr, how == Return)));
        assert!(
            batches(&["1 2\n"], false)
                .concat()
                .iter()
                .all(|(_, returns)| !returns)
        );
    }
}
