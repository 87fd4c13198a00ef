//! The header of a perf.data file: the positions of its sections.
//!
//! There are two formats with the same magic number. A file has a table of sections in its header,
//! and its feature sections follow the records. A pipe has all of this as records.
//!
//! Source: `tools/perf/Documentation/perf.data-file-format.txt`.

use std::io::{self, Read, Seek, SeekFrom};

use backsight_types::trace::Facts;

use super::attr::Attr;
use super::error::{Error, ReadEnd};
use super::event_attrs::{EventDescription, Events, numbers};
use super::facts::{self, feature};
use crate::bytes::Bytes;
use crate::flaws::Flaws;

const MAGIC: &[u8; 8] = b"PERFILE2";
const MAGIC_BIG: &[u8; 8] = b"2ELIFREP";

const ENDS_IN_HEADER: &str = "it ends within its header";

/// The size of the header of each format.
const PIPE_HEADER: u64 = 16;
const FILE_HEADER: u64 = 104;

/// The maximum size of a section that is read as a whole.
const MAX_SECTION: u64 = 64 << 20;

/// What is known before the first record.
#[derive(Debug)]
pub(super) struct FileHeader {
    pub(super) big: bool,
    /// Whether attributes and features are records.
    pub(super) is_pipe: bool,
    /// The size of all records in bytes, if known.
    pub(super) size: Option<u64>,
    pub(super) events: Events,
    pub(super) facts: Facts,
    /// What is damaged of the facts.
    pub(super) flaws: Flaws,
    pub(super) end: Option<ReadEnd>,
}

/// A range of bytes of the file.
#[derive(Clone, Copy, Debug)]
struct Section {
    offset: u64,
    size: u64,
}

impl Section {
    fn end(self) -> Option<u64> {
        self.offset.checked_add(self.size)
    }
}

/// The table of sections in the header of a file.
struct HeaderTable {
    attr_size: u64,
    attrs: Section,
    data: Section,
    features: [u64; 4],
}

impl HeaderTable {
    fn parse(bytes: &[u8], big: bool) -> Option<Self> {
        let mut at = Bytes::new(bytes, big);
        let attr_size = at.u64()?;
        let mut section = || {
            let (offset, size) = (at.u64()?, at.u64()?);
            Some(Section { offset, size })
        };
        let (attrs, data, _types) = (section()?, section()?, section()?);
        let mut features = [0; 4];
        for word in &mut features {
            *word = at.u64()?;
        }
        Some(Self {
            attr_size,
            attrs,
            data,
            features,
        })
    }
}

impl FileHeader {
    /// Reads the header of an input that cannot seek. If it is a file, its features are not read,
    /// because they follow the records.
    pub(super) fn of_stream(input: &mut impl Read) -> Result<Self, Error> {
        let (big, size) = magic(input)?;
        if size <= PIPE_HEADER {
            return Ok(Self::of_pipe(big));
        }
        let table = table(input, big, size)?;
        let behind = size.max(FILE_HEADER);
        let before_data = (table.data.offset.checked_sub(behind))
            .ok_or(Error::Malformed("its records start within its header"))?;
        if before_data > MAX_SECTION {
            return Err(Error::Malformed("more than 64 MiB before its records"));
        }
        let mut front = vec![0; usize::try_from(behind).unwrap_or_default()];
        let read = input.take(before_data).read_to_end(&mut front)?;
        if u64::try_from(read).unwrap_or_default() < before_data {
            return Err(Error::Malformed("it ends before its first record"));
        }
        let events = attrs_of(&mut io::Cursor::new(front), &table, big)?;
        let size = (table.data.size > 0).then_some(table.data.size);
        Ok(Self {
            size,
            events,
            ..Self::of_pipe(big)
        }
        .into_file())
    }

    /// Reads the header and features of a file, and seeks to the first record.
    pub(super) fn of_file(input: &mut (impl Read + Seek)) -> Result<Self, Error> {
        let len = input.seek(SeekFrom::End(0))?;
        input.seek(SeekFrom::Start(0))?;
        let (big, size) = magic(input)?;
        if size <= PIPE_HEADER {
            return Ok(Self::of_pipe(big));
        }
        let table = table(input, big, size)?;
        let data = table.data;
        if data.offset > len {
            return Err(Error::Malformed("it ends before its first record"));
        }
        // perf writes the size when it ends. If it is missing, or the file is shorter, records
        // extend to the end of the file.
        let whole = data.end().filter(|end| *end <= len && data.size > 0);
        let mut facts = Facts::default();
        let mut flaws = Flaws::default();
        let mut events = Events::default();
        let mut is_whole = whole.is_some();
        if let Some(end) = whole {
            is_whole = read_features(input, &table, end, len, big, &mut |feature, bytes| {
                facts::take_feature(&mut facts, feature, bytes, big, &mut flaws);
                if feature == feature::EVENT_DESC {
                    events.take_descriptions(bytes, big);
                }
            })?;
        }
        if events.types().is_empty() {
            events = attrs_of(input, &table, big)?;
        }
        input.seek(SeekFrom::Start(data.offset))?;
        let there = len.saturating_sub(data.offset);
        Ok(Self {
            size: Some(whole.map_or(there, |_| data.size)),
            events,
            facts,
            flaws,
            end: (!is_whole).then_some(ReadEnd::Cut),
            ..Self::of_pipe(big)
        }
        .into_file())
    }

    fn of_pipe(big: bool) -> Self {
        Self {
            big,
            is_pipe: true,
            size: None,
            events: Events::default(),
            facts: Facts::default(),
            flaws: Flaws::default(),
            end: None,
        }
    }

    fn into_file(self) -> Self {
        Self {
            is_pipe: false,
            ..self
        }
    }
}

fn magic(input: &mut impl Read) -> Result<(bool, u64), Error> {
    let mut start = Vec::new();
    input.take(PIPE_HEADER).read_to_end(&mut start)?;
    let (magic, size) = start.split_first_chunk().ok_or(Error::NotPerfData)?;
    let big = match magic {
        MAGIC => false,
        MAGIC_BIG => true,
        _ => return Err(Error::NotPerfData),
    };
    let size = Bytes::new(size, big).u64();
    let size = size.ok_or(Error::Malformed(ENDS_IN_HEADER))?;
    Ok((big, size))
}

/// Reads the rest of the header, after its size.
fn table(input: &mut impl Read, big: bool, size: u64) -> Result<HeaderTable, Error> {
    let rest = size.max(FILE_HEADER).saturating_sub(PIPE_HEADER);
    if rest > MAX_SECTION {
        return Err(Error::Malformed("its header is larger than 64 MiB"));
    }
    let mut bytes = Vec::new();
    input.take(rest).read_to_end(&mut bytes)?;
    HeaderTable::parse(&bytes, big).ok_or(Error::Malformed(ENDS_IN_HEADER))
}

/// Reads a section; `None` if it is not in the file, or is too large.
fn section(input: &mut (impl Read + Seek), at: Section) -> io::Result<Option<Vec<u8>>> {
    if at.size > MAX_SECTION {
        return Ok(None);
    }
    input.seek(SeekFrom::Start(at.offset))?;
    let mut bytes = Vec::new();
    input.take(at.size).read_to_end(&mut bytes)?;
    let is_whole = u64::try_from(bytes.len()).is_ok_and(|len| len == at.size);
    Ok(is_whole.then_some(bytes))
}

/// Reads the attributes in the header, which have no names.
fn attrs_of(
    input: &mut (impl Read + Seek),
    table: &HeaderTable,
    big: bool,
) -> Result<Events, Error> {
    /// Each attribute is followed by the position of its IDs.
    const PLACE: u64 = 16;
    let damaged = || Error::Malformed("its list of events is damaged");
    let attrs = section(input, table.attrs)?.ok_or_else(damaged)?;
    let attr_size = table.attr_size.checked_sub(PLACE).ok_or_else(damaged)?;
    let mut events = Events::default();
    let mut at = Bytes::new(&attrs, big);
    while !at.rest().is_empty() {
        let attr = at.take_u64(attr_size).ok_or_else(damaged)?;
        let (attr, _) = Attr::parse(attr, big).ok_or_else(damaged)?;
        let (offset, size) = (at.u64().ok_or_else(damaged)?, at.u64().ok_or_else(damaged)?);
        // Without IDs, the records of a single event can still be read.
        let ids = section(input, Section { offset, size })?.unwrap_or_default();
        events.add(EventDescription {
            attr,
            name: None,
            ids: numbers(&ids, big),
        });
    }
    Ok(events)
}

/// Passes the contents of known feature sections to `take`, and returns whether all of them are in
/// the file. Sections whose position is not in the file are skipped.
fn read_features(
    input: &mut (impl Read + Seek),
    table: &HeaderTable,
    data_end: u64,
    len: u64,
    big: bool,
    take: &mut dyn FnMut(u64, &[u8]),
) -> io::Result<bool> {
    const ENTRY: u64 = 16;
    let is_there = |feature: &u64| {
        let word = usize::try_from(feature / 64).ok();
        let word = word.and_then(|word| table.features.get(word));
        word.is_some_and(|word| word >> (feature % 64) & 1 == 1)
    };
    let features: Vec<u64> = (0..feature::END).filter(is_there).collect();
    let size = ENTRY.saturating_mul(u64::try_from(features.len()).unwrap_or_default());
    let places = section(
        input,
        Section {
            offset: data_end,
            size,
        },
    )?
    .unwrap_or_default();
    let mut at = Bytes::new(&places, big);
    let mut is_whole = true;
    for feature in features {
        let (Some(offset), Some(size)) = (at.u64(), at.u64()) else {
            return Ok(false);
        };
        let place = Section { offset, size };
        if place.end().is_none_or(|end| end > len) {
            is_whole = false;
        } else if facts::is_read(feature)
            && let Some(bytes) = section(input, place)?
        {
            take(feature, &bytes);
        }
    }
    Ok(is_whole)
}
