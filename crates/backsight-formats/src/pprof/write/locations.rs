//! Writes mappings, locations and functions.

use std::io::{self, Write};

use backsight_profile::{Location, ProfileFrame};

use super::super::proto;
use super::{BATCH, FunctionKey, Writer};
use crate::place_name::UNKNOWN;
use crate::placement::{MappedPlace, MappingRow, Placement};
use crate::string_table::file_name;

impl<W: Write> Writer<'_, W> {
    pub(super) fn mappings(&mut self, placement: &Placement) -> io::Result<()> {
        let mut named = vec![false; placement.rows.len()];
        for (location, place) in self.profile.locations.iter().zip(&placement.places) {
            let row = place.row.and_then(|row| usize::try_from(row).ok());
            let named = row.and_then(|row| named.get_mut(row));
            if let Some(named) = named.filter(|_| location.frames.len > 0) {
                *named = true;
            }
        }
        for ((row, named), id) in placement.rows.iter().zip(named).zip(1..) {
            let mapping = self.mapping(row, named, id);
            self.part.mapping.push(mapping);
            if self.part.mapping.len() >= BATCH {
                self.flush()?;
            }
        }
        self.flush()
    }

    fn mapping(&mut self, row: &MappingRow, named: bool, id: u64) -> proto::Mapping {
        let module = self.profile.module(row.module);
        let build_id = module.and_then(|module| module.build_id);
        proto::Mapping {
            id,
            memory_start: row.start,
            memory_limit: row.limit,
            file_offset: row.file_offset,
            filename: self.strings.own(&module.map(file_name).unwrap_or_default()),
            build_id: build_id.map_or(0, |id| self.strings.own(&id.to_string())),
            // If these are not set, `pprof` symbolizes the mapping.
            has_functions: named,
            has_filenames: named,
            has_line_numbers: named,
            has_inline_frames: named,
        }
    }

    pub(super) fn locations(&mut self, placement: &Placement) -> io::Result<()> {
        let profile = self.profile;
        let places = profile.locations.iter().zip(&placement.places);
        for ((location, place), id) in places.zip(1..) {
            let location = self.location(location, *place, id);
            self.part.location.push(location);
            if self.part.location.len() >= BATCH {
                self.flush()?;
            }
        }
        self.flush()
    }

    fn location(&mut self, location: &Location, place: MappedPlace, id: u64) -> proto::Location {
        let mut frames = self.profile.frames_of(location).iter().peekable();
        if location.frames.len > 0 && frames.peek().is_none() {
            self.flaws.count("locations that refer to missing frames");
        }
        let mut line: Vec<proto::Line> = frames.map(|frame| self.line(frame)).collect();
        if line.is_empty() && place.row.is_none() {
            let why = match location.reason {
                Some(reason) => Some(format!("[{reason}]")),
                // An address says more than `[unknown]`.
                None => (place.address == 0).then(|| UNKNOWN.to_owned()),
            };
            line.extend(why.map(|why| {
                let name = self.strings.own(&why);
                proto::Line {
                    function_id: self.function((name, name, 0, 0)),
                    ..proto::Line::default()
                }
            }));
        }
        proto::Location {
            id,
            mapping_id: place.row.map_or(0, |row| u64::from(row).saturating_add(1)),
            address: place.address,
            line,
            is_folded: false,
        }
    }

    fn line(&mut self, frame: &ProfileFrame) -> proto::Line {
        let name = self.place(frame.function.or(frame.linkage_name));
        let system_name = match self.place(frame.linkage_name) {
            0 => name,
            place => place,
        };
        let file = self.place(frame.file);
        let key = (name, system_name, file, frame.start_line.unwrap_or(0));
        proto::Line {
            function_id: self.function(key),
            line: frame.line.unwrap_or(0).into(),
            column: frame.column.unwrap_or(0).into(),
        }
    }

    fn function(&mut self, key: FunctionKey) -> u64 {
        let next = u64::try_from(self.functions.len()).unwrap_or(u64::MAX);
        let next = next.saturating_add(1);
        *self.functions.entry(key).or_insert_with(|| {
            let (name, system_name, filename, start_line) = key;
            self.part.function.push(proto::Function {
                id: next,
                name,
                system_name,
                filename,
                start_line: start_line.into(),
            });
            next
        })
    }
}
