//! The functions of a GSYM file, by address.

use backsight_index::{Frames, IndexBuilder, IndexFull};
use backsight_types::BuildId;

use super::function;
use super::header::{GsymError, GsymHeader};
use crate::bytes::{Bytes, offset};
use crate::function_record::{FunctionRecord, TextName, Texts};
use crate::linker_marks::is_end_mark;

/// The maximum length of a name or a path in bytes.
const LONGEST_TEXT: usize = 1 << 20;

/// The tables of a GSYM file. Pass the bytes of the file to each call.
#[derive(Clone, Debug)]
pub struct Gsym {
    header: GsymHeader,
    /// The number of addresses from the first on that ascend.
    ascending: usize,
}

/// The function at an address.
#[derive(Clone, Debug)]
struct FunctionAt<'d, 'h> {
    bytes: Bytes<'d>,
    header: &'h GsymHeader,
    ascending: usize,
}

impl Gsym {
    /// Reads the header, and checks that the tables are within the file and that
    /// addresses ascend.
    ///
    /// # Errors
    /// Each of [`GsymError`].
    pub fn open(bytes: &[u8]) -> Result<Self, GsymError> {
        let header = GsymHeader::read(bytes)?;
        let count = header.count;
        let mut gsym = Self {
            header,
            ascending: count,
        };
        let view = gsym.view(bytes);
        let mut last = 0;
        let ascending = (0..count).take_while(|at| {
            let addr = view.addr(*at).filter(|addr| *addr >= last);
            last = addr.unwrap_or(last);
            addr.is_some()
        });
        gsym.ascending = ascending.count();
        Ok(gsym)
    }

    /// Returns the build ID of the program that it was created from.
    #[must_use]
    pub fn build_id(&self) -> Option<BuildId> {
        BuildId::from_bytes(&self.header.id).ok()
    }

    /// Returns how many functions it has, those that are cut off left out.
    #[must_use]
    pub fn functions(&self) -> usize {
        self.ascending
    }

    /// Returns whether its functions do not ascend. Those after the first violation are
    /// not used.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.ascending < self.header.count
    }

    /// Returns the answer for this address, and whether a part of the function is
    /// damaged.
    #[must_use]
    pub fn find(&self, bytes: &[u8], addr: u64) -> (Option<Frames>, bool) {
        let view = self.view(bytes);
        let Some(at) = view.last_until(addr) else {
            return (None, false);
        };
        let Some(found) = view.function(at) else {
            return (None, true);
        };
        let frames = found.range.contains(&addr);
        let frames = frames.then(|| found.frames(addr, &view)).flatten();
        (frames, found.is_damaged)
    }

    /// Adds all functions to an index, and returns whether a part was damaged.
    ///
    /// # Errors
    /// [`IndexFull`].
    pub fn list(&self, bytes: &[u8], index: &mut IndexBuilder) -> Result<bool, IndexFull> {
        let view = self.view(bytes);
        let mut is_damaged = self.is_cut();
        // In a valid file, functions do not share bytes. This bounds the work for a
        // forged one.
        let mut left = bytes.len();
        for at in 0..self.ascending {
            // If several functions have the same address, the last one is used: it is the
            // longest.
            let next = at.checked_add(1).filter(|next| *next < self.ascending);
            if next.is_some_and(|next| view.addr(next) == view.addr(at)) {
                continue;
            }
            let rest = view.info(at).and_then(|(_, rest)| left.checked_sub(rest));
            let Some(found) = rest.and_then(|_| view.function(at)) else {
                is_damaged = true;
                continue;
            };
            left = rest.unwrap_or(0);
            is_damaged |= found.is_damaged;
            if !found.range.is_empty() {
                found.put_into(index, &view)?;
            }
        }
        Ok(is_damaged)
    }

    fn view<'d>(&self, all: &'d [u8]) -> FunctionAt<'d, '_> {
        FunctionAt {
            bytes: Bytes {
                all,
                big_endian: self.header.big_endian,
                pointer: 8,
            },
            header: &self.header,
            ascending: self.ascending,
        }
    }
}

impl<'d> FunctionAt<'d, '_> {
    fn addr(&self, number: usize) -> Option<u64> {
        let size = self.header.address_size;
        let at = self
            .header
            .addresses
            .checked_add(number.checked_mul(size)?)?;
        let more = match size {
            1 => self.bytes.byte(at)?.into(),
            2 => self.bytes.half(at)?.into(),
            4 => self.bytes.word(at)?.into(),
            _ => self.bytes.address(at)?,
        };
        self.header.base.checked_add(more)
    }

    /// Returns the last function that starts at or before this address.
    fn last_until(&self, addr: u64) -> Option<usize> {
        let (mut low, mut high) = (0_usize, self.ascending);
        while low < high {
            let middle = low.midpoint(high);
            if self.addr(middle)? <= addr {
                low = middle.checked_add(1)?;
            } else {
                high = middle;
            }
        }
        low.checked_sub(1)
    }

    /// Returns the bytes from a function's data on, and the data's size.
    fn info(&self, number: usize) -> Option<(&'d [u8], usize)> {
        let at = self.header.infos.checked_add(number.checked_mul(4)?)?;
        let at = offset(0, self.bytes.word(at)?)?;
        let all: &'d [u8] = self.bytes.all;
        let data = all.get(at..)?;
        let size = function::size_of(data.get(4..)?, self.header.big_endian);
        Some((data, size))
    }

    /// Reads a function, which ends at the start of the next one at the latest.
    fn function(&self, number: usize) -> Option<FunctionRecord> {
        let begin = self.addr(number)?;
        let (data, _) = self.info(number)?;
        let (size, rest) = data.split_first_chunk::<4>()?;
        let size = match self.header.big_endian {
            true => u32::from_be_bytes(*size),
            false => u32::from_le_bytes(*size),
        };
        let next = number.checked_add(1).filter(|next| *next < self.ascending);
        let next = next.and_then(|next| self.addr(next));
        let end = match (size, next) {
            // A label without a size extends to the next one.
            (0, Some(next)) => next,
            (0, None) => begin.checked_add(1)?,
            (size, next) => begin
                .checked_add(size.into())?
                .min(next.unwrap_or(u64::MAX)),
        };
        let mut found = function::read(begin..end, rest, self.header.big_endian);
        if size == 0 && self.text(found.name).is_some_and(is_end_mark) {
            found.range = begin..begin;
        }
        Some(found)
    }

    fn text(&self, number: u32) -> Option<&'d [u8]> {
        let at = offset(self.header.texts, number)?;
        let text = self.bytes.text(at, LONGEST_TEXT)?;
        let end = at.checked_add(text.len())?;
        (end < self.header.texts_end && !text.is_empty()).then_some(text)
    }

    fn shown(&self, number: u32) -> Option<String> {
        let text = self.text(number)?;
        Some(String::from_utf8_lossy(text).into_owned())
    }
}

impl Texts for FunctionAt<'_, '_> {
    fn name(&self, number: u32) -> Option<TextName> {
        self.shown(number).map(TextName::Linkage)
    }

    fn path(&self, number: u32) -> Option<String> {
        if number >= self.header.file_count {
            return None;
        }
        let at = self.header.files;
        let at = at.checked_add(usize::try_from(number).ok()?.checked_mul(8)?)?;
        let folder = self.shown(self.bytes.word(at)?);
        let base = self.shown(self.bytes.word(at.checked_add(4)?)?);
        match (folder, base) {
            (Some(folder), Some(base)) if folder.ends_with('/') => Some(folder + &base),
            (Some(folder), Some(base)) => Some(format!("{folder}/{base}")),
            (folder, base) => base.or(folder),
        }
    }
}
