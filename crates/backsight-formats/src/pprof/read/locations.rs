//! Converts mappings to modules, and addresses to locations.

use backsight_profile::{Location, LocationIdx, Profile, ProfileFrame};
use hashbrown::HashMap;

use super::super::proto;
use super::tables::{FileTables, Spaces};
use crate::flaws::Flaws;
use crate::mapped_file::{MappedFile, MappedFiles, MappingFields, elsewhere};
use crate::protobuf::{Error, MemoryBudget, decode};
use crate::texts::number;

impl FileTables<'_> {
    /// Adds the modules of the mappings, and returns the mappings by ID.
    pub(super) fn mappings(
        &mut self,
        spaces: &Spaces<'_>,
        profile: &mut Profile,
        budget: &mut MemoryBudget,
        flaws: &mut Flaws,
    ) -> Result<HashMap<u64, MappedFile>, Error> {
        let mut files = HashMap::new();
        let mut modules = MappedFiles::default();
        for row in &self.mappings {
            if row.id == 0 {
                flaws.count("mappings without an ID");
                continue;
            }
            if files.contains_key(&row.id) {
                flaws.count("mappings with the ID of another one");
                continue;
            }
            let name = self.texts.bytes(row.filename, flaws).unwrap_or_default();
            let excepted = str::from_utf8(name).is_ok_and(|name| spaces.but.contains(name));
            let told = MappingFields {
                start: row.memory_start,
                limit: row.memory_limit,
                file_offset: row.file_offset,
                name,
                build_id: self.texts.bytes(row.build_id, flaws).unwrap_or_default(),
                is_virtual: spaces.is_virtual && !excepted,
            };
            files.insert(row.id, modules.take(&told, profile, budget, flaws)?);
        }
        Ok(files)
    }

    /// Adds the locations, and returns them by ID.
    pub(super) fn locations(
        &mut self,
        files: &HashMap<u64, MappedFile>,
        profile: &mut Profile,
        budget: &mut MemoryBudget,
        flaws: &mut Flaws,
    ) -> Result<HashMap<u64, LocationIdx>, Error> {
        let mut ids = HashMap::new();
        for row in std::mem::take(&mut self.locations) {
            budget.take_rows::<(Location, u64, LocationIdx)>(2)?;
            // A line of two bytes takes as much memory as a longer one.
            let most_lines = row.len() / 2;
            budget
                .check(most_lines.saturating_mul(size_of::<[(proto::Line, ProfileFrame); 2]>()))?;
            let why_not = "locations that cannot be decoded";
            let Some(row) = decode::<proto::Location>(row, why_not, flaws) else {
                continue;
            };
            if row.id == 0 {
                flaws.count("locations without an ID");
                continue;
            }
            if ids.contains_key(&row.id) {
                flaws.count("locations with the ID of another one");
                continue;
            }
            budget.take_rows::<ProfileFrame>(row.line.len().saturating_mul(2))?;
            let location = self.location(&row, files, profile, flaws);
            if let Some(index) = profile.add_location(location) {
                ids.insert(row.id, index);
            }
        }
        Ok(ids)
    }

    fn location(
        &mut self,
        row: &proto::Location,
        files: &HashMap<u64, MappedFile>,
        profile: &mut Profile,
        flaws: &mut Flaws,
    ) -> Location {
        if row.is_folded {
            flaws.leave_out("locations of functions that the linker folded (is_folded)");
        }
        let file = files.get(&row.mapping_id);
        if file.is_none() && row.mapping_id != 0 {
            flaws.count("locations that refer to a missing mapping");
        }
        let in_file = file.and_then(|file| file.location(row.address, flaws));
        let mut location =
            in_file.unwrap_or_else(|| elsewhere(row.address, self.bare_function(row)));
        if location.reason.is_none() {
            let last = row.line.len().saturating_sub(1);
            let lines = row.line.iter().enumerate();
            let frames: Vec<ProfileFrame> = lines
                .map(|(at, line)| ProfileFrame {
                    inlined: at < last,
                    ..self.frame(line, profile, flaws)
                })
                .collect();
            location.frames = profile.add_frames(frames).unwrap_or_default();
        }
        location
    }

    /// Returns the name of a location's only function, if it has no file and line.
    fn bare_function(&self, row: &proto::Location) -> Option<&[u8]> {
        let [line] = row.line.as_slice() else {
            return None;
        };
        let function = self.functions.get(&line.function_id)?;
        let is_bare = line.line == 0 && function.filename == 0;
        let name = self.texts.bytes(function.name, &mut Flaws::default());
        name.filter(|_| is_bare)
    }

    fn frame(
        &mut self,
        line: &proto::Line,
        profile: &mut Profile,
        flaws: &mut Flaws,
    ) -> ProfileFrame {
        let function = match self.functions.get(&line.function_id) {
            Some(function) => *function,
            None => {
                if line.function_id != 0 {
                    flaws.count("lines that refer to a missing function");
                }
                proto::Function::default()
            }
        };
        let strings = &mut profile.strings;
        let name = self.texts.text(function.name, strings, flaws);
        let linkage_name = self.texts.text(function.system_name, strings, flaws);
        ProfileFrame {
            function: name,
            linkage_name: linkage_name.filter(|linkage| Some(*linkage) != name),
            file: self.texts.text(function.filename, strings, flaws),
            line: number(line.line, flaws),
            column: number(line.column, flaws),
            start_line: number(function.start_line, flaws),
            inlined: false,
            start: None,
            start_file_offset: None,
        }
    }
}
