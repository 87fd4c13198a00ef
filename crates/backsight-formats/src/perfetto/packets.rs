//! Reads the packets of a trace one by one, so that memory does not grow with the trace.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

use super::begin::{Begin, look};
use crate::flaws::Flaws;
use crate::protobuf::{Error, MemoryBudget};

/// The magic number of gzip.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// How many bytes are looked at to tell a trace from other files.
const INSPECTED: u64 = 4096;

/// The packets of an input.
pub(super) struct Packets<'i> {
    input: Box<dyn BufRead + 'i>,
    /// Whether the input is decompressed: errors of some kinds are then damage.
    is_packed: bool,
    /// Whether damage was met while the first bytes were looked at.
    is_cut: bool,
    packet: Vec<u8>,
}

/// What stands at a place of the trace.
enum NextNumber {
    Number(u64),
    End,
    Damage,
}

impl<'i> Packets<'i> {
    /// Checks that an input can be a trace.
    pub(super) fn new(input: impl Read + 'i) -> Result<Self, Error> {
        let mut input = BufReader::with_capacity(1 << 16, input);
        let mut head = Vec::new();
        let read = input.by_ref().take(2).read_to_end(&mut head);
        read.map_err(Error::Io)?;
        let is_packed = head == GZIP;
        let whole = Cursor::new(head).chain(input);
        let mut input: Box<dyn BufRead + 'i> = match is_packed {
            true => Box::new(BufReader::with_capacity(
                1 << 16,
                MultiGzDecoder::new(whole),
            )),
            false => Box::new(whole),
        };
        let mut head = Vec::new();
        let read = input.by_ref().take(INSPECTED).read_to_end(&mut head);
        let is_cut = match read {
            Err(error) if is_packed && is_damage(&error) => true,
            other => other.map_err(Error::Io).map(|_| false)?,
        };
        if look(&head) == Begin::Other {
            return Err(Error::Malformed {
                offset: 0,
                reason: match is_cut {
                    true => "its gzip stream is damaged or cut off",
                    false => "it does not begin with a packet of a trace",
                },
            });
        }
        Ok(Self {
            input: Box::new(Cursor::new(head).chain(input)),
            is_packed,
            is_cut,
            packet: Vec::new(),
        })
    }

    /// Returns the next packet; `None` at the end, or where nothing more can be read.
    pub(super) fn next(
        &mut self,
        budget: &MemoryBudget,
        flaws: &mut Flaws,
    ) -> Result<Option<&[u8]>, Error> {
        loop {
            let key = match self.varint()? {
                NextNumber::Number(key) => key,
                NextNumber::End if !self.is_cut => return Ok(None),
                NextNumber::End | NextNumber::Damage => return Ok(stop(flaws)),
            };
            let length = match key & 7 {
                0 | 2 => match self.varint()? {
                    NextNumber::Number(_) if key & 7 == 0 => 0,
                    NextNumber::Number(length) => length,
                    NextNumber::End | NextNumber::Damage => return Ok(stop(flaws)),
                },
                1 => 8,
                5 => 4,
                _ => return Ok(stop(flaws)),
            };
            let is_packet = key == 0x0a;
            if !self.take(length, is_packet, budget)? {
                return Ok(stop(flaws));
            }
            if is_packet {
                return Ok(Some(&self.packet));
            }
            flaws.leave_out("unknown fields of the trace");
        }
    }

    /// Takes so many bytes, as a packet or to skip them. Returns whether they are there.
    fn take(&mut self, length: u64, keep: bool, budget: &MemoryBudget) -> Result<bool, Error> {
        self.packet.clear();
        // A length alone reserves nothing: a forged one is met by the end of the input.
        let most = if keep {
            budget.left().saturating_add(1)
        } else {
            u64::MAX
        };
        let mut limited = self.input.by_ref().take(length.min(most));
        let read = match keep {
            true => limited.read_to_end(&mut self.packet).map(|_| ()),
            false => io::copy(&mut limited, &mut io::sink()).map(|_| ()),
        };
        match read {
            Err(error) if self.is_packed && is_damage(&error) => return Ok(false),
            other => other.map_err(Error::Io)?,
        }
        let is_there = limited.limit() == 0;
        if is_there && keep {
            budget.check(usize::try_from(length).unwrap_or(usize::MAX))?;
        }
        Ok(is_there)
    }

    fn varint(&mut self) -> Result<NextNumber, Error> {
        let mut number = 0_u64;
        for shift in (0..70).step_by(7) {
            let byte = match self.input.fill_buf() {
                Ok(bytes) => bytes.first().copied(),
                Err(error) if self.is_packed && is_damage(&error) => return Ok(NextNumber::Damage),
                Err(error) => return Err(Error::Io(error)),
            };
            let Some(byte) = byte else {
                return Ok(if shift == 0 {
                    NextNumber::End
                } else {
                    NextNumber::Damage
                });
            };
            self.input.consume(1);
            number |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(NextNumber::Number(number));
            }
        }
        Ok(NextNumber::Damage)
    }
}

fn stop<T>(flaws: &mut Flaws) -> Option<T> {
    flaws.count("places where the trace is damaged or cut off: what follows is not read");
    None
}

/// Whether an error of the gzip decoder is about the data, and none of reading them.
fn is_damage(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    let kinds = matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof);
    kinds && error.raw_os_error().is_none()
}
