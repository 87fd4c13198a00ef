//! Where addresses come from: the command line, or standard input line by line.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::fd::AsFd;

use backsight_formats::address_list::{Next, Reader};
use backsight_types::{AbsAddr, Lookup};

use crate::args::parse_addr;
use crate::failure::{Failure, Result, complain};

/// The addresses of a command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Addresses {
    /// Addresses, hexadecimal with or without 0x; `-` reads them from standard
    /// input, and answers line by line
    #[arg(value_name = "ADDR|-", value_parser = parse_entry)]
    list: Vec<Entry>,

    /// The addresses are a stack, innermost first: all but the first are return
    /// addresses, looked up one byte before. On standard input a blank line
    /// begins the next stack
    #[arg(long)]
    pub(crate) stack: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Addr(AbsAddr),
    Stdin,
}

fn parse_entry(text: &str) -> Result<Entry, String> {
    if text == "-" {
        return Ok(Entry::Stdin);
    }
    parse_addr(text).map(Entry::Addr)
}

/// Addresses that are answered together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) addrs: Vec<AbsAddr>,
    /// One for each.
    pub(crate) lookups: Vec<Lookup>,
}

impl Batch {
    fn push(&mut self, addr: AbsAddr, lookup: Lookup) {
        self.addrs.push(addr);
        self.lookups.push(lookup);
    }

    /// Walks over addresses and how to look them up.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (AbsAddr, Lookup)> {
        let lookups = self.lookups.iter().copied();
        self.addrs.iter().copied().zip(lookups)
    }

    fn clear(&mut self) {
        self.addrs.clear();
        self.lookups.clear();
    }
}

impl Addresses {
    /// Returns whether none are given, not even `-`.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Returns all of them, when none is still to come from standard input.
    pub(crate) fn all(&self) -> Option<Vec<AbsAddr>> {
        let addr = |entry: &Entry| match entry {
            Entry::Addr(addr) => Some(*addr),
            Entry::Stdin => None,
        };
        self.list.iter().map(addr).collect()
    }

    /// Reads them from standard input when none are given.
    pub(crate) fn or_stdin(self) -> Self {
        if self.list.is_empty() {
            let list = vec![Entry::Stdin];
            return Self { list, ..self };
        }
        self
    }

    /// Has every batch answered, and returns how many entries were malformed.
    ///
    /// A command line is one batch. Standard input is cut where reading on would
    /// have to wait: a process that sends a line and waits gets its answer, and a
    /// file is not worked through address by address. `answer` flushes.
    pub(crate) fn each_batch(self, answer: impl FnMut(&Batch) -> Result<()>) -> Result<u64> {
        if self.list == [Entry::Stdin] {
            let stdin = io::stdin().as_fd().try_clone_to_owned();
            let stdin = stdin.map_err(|error| Failure::io("standard input", &error))?;
            return each_batch_of(File::from(stdin), self.stack, answer);
        }
        self.command_line(answer)
    }

    fn command_line(self, mut answer: impl FnMut(&Batch) -> Result<()>) -> Result<u64> {
        let mut lookups = Stack::new(self.stack);
        let mut batch = Batch::default();
        for entry in self.list {
            let Entry::Addr(addr) = entry else {
                let message = "`-` reads all addresses from standard input: give it alone";
                return Err(Failure::Usage(message.to_owned()));
            };
            batch.push(addr, lookups.next());
        }
        if batch.addrs.is_empty() {
            complain(format_args!(
                "no addresses given; `-` reads them from standard input"
            ));
        }
        answer(&batch)?;
        Ok(0)
    }
}

fn each_batch_of(
    input: impl Read,
    stack: bool,
    mut answer: impl FnMut(&Batch) -> Result<()>,
) -> Result<u64> {
    let mut lookups = Stack::new(stack);
    let mut reader = Reader::new(BufReader::new(input));
    let (mut entries, mut batch, mut malformed) = (Vec::new(), Batch::default(), 0);
    loop {
        let next = reader
            .read_line(&mut entries)
            .map_err(|error| Failure::io("standard input", &error))?;
        if next == Next::Blank {
            lookups = Stack::new(stack);
        }
        for entry in entries.drain(..) {
            match entry {
                Ok(addr) => batch.push(addr, lookups.next()),
                Err(wrong) => {
                    malformed += 1;
                    complain(format_args!("standard input, {wrong}"));
                }
            }
        }
        let may_wait = !reader.get_ref().buffer().contains(&b'\n');
        if (may_wait || next == Next::End) && !batch.addrs.is_empty() {
            answer(&batch)?;
            batch.clear();
        }
        if next == Next::End {
            return Ok(malformed);
        }
    }
}

/// Says which address of a stack is which.
struct Stack {
    of_returns: bool,
    begun: bool,
}

impl Stack {
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

    use super::each_batch_of;

    /// Gives one piece a read, as a pipe gives what was written to it.
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
        let malformed = each_batch_of(Pieces(pieces.to_vec()), stack, |batch| {
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
