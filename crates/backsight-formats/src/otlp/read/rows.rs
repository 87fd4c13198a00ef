//! Converts rows of the dictionary on first use.

use backsight_profile::{self as profile, Label, LocationIdx, ProfileFrame, StackIdx, Subject};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::profiles::v1development as proto;

use super::super::keys::{self, ADDRESSES};
use super::attribute::ReadAttribute;
use super::dictionary::RowState;
use super::reader::{ReadState, Reader};
use crate::flaws::Flaws;
use crate::mapped_file::{MappedFile, MappingFields, elsewhere};
use crate::protobuf::{Error, decode};
use crate::texts::number;

impl Reader<'_> {
    pub(super) fn stack(&mut self, place: i32) -> Result<Option<StackIdx>, Error> {
        let (at, row) = match self.dictionary.stacks.look(place, &mut self.state.flaws) {
            RowState::Known(known) => return Ok(known),
            RowState::New(at, row) => (at, row),
        };
        // Each byte can be the index of a location.
        self.state
            .budget
            .check(row.len().saturating_mul(size_of::<[LocationIdx; 2]>()))?;
        let why_not = "stacks that cannot be decoded";
        let row = decode::<proto::Stack>(row, why_not, &mut self.state.flaws).unwrap_or_default();
        let mut stack = None;
        let nodes = self.state.profile.stacks.len();
        for place in row.location_indices.iter().rev() {
            if let Some(location) = self.location(*place)? {
                stack = Some(self.state.profile.stacks.call(stack, location));
            }
        }
        let nodes = self.state.profile.stacks.len().saturating_sub(nodes);
        self.state.budget.take_rows::<[LocationIdx; 6]>(nodes)?;
        Ok(self.dictionary.stacks.keep(at, stack))
    }

    fn location(&mut self, place: i32) -> Result<Option<LocationIdx>, Error> {
        let (at, row) = match self.dictionary.locations.look(place, &mut self.state.flaws) {
            RowState::Known(known) => return Ok(known),
            RowState::New(at, row) => (at, row),
        };
        // A line of two bytes takes as much memory as a longer one.
        let most_lines = row.len() / 2;
        self.state
            .budget
            .check(most_lines.saturating_mul(size_of::<[(proto::Line, ProfileFrame); 2]>()))?;
        let why_not = "locations that cannot be decoded";
        let Some(row) = decode::<proto::Location>(row, why_not, &mut self.state.flaws) else {
            return Ok(self.dictionary.locations.keep(at, None));
        };
        self.state
            .budget
            .take_rows::<ProfileFrame>(row.lines.len().saturating_mul(2))?;
        self.state.budget.take_rows::<profile::Location>(2)?;
        let file = self.mapped_file(row.mapping_index)?;
        let in_file = file.and_then(|file| file.location(row.address, &mut self.state.flaws));
        let mut location =
            in_file.unwrap_or_else(|| elsewhere(row.address, self.bare_function(&row)));
        if location.reason.is_none() {
            let last = row.lines.len().saturating_sub(1);
            let lines = row.lines.iter().enumerate();
            let frames: Vec<ProfileFrame> = lines
                .map(|(at, line)| ProfileFrame {
                    inlined: at < last,
                    ..self.frame(line)
                })
                .collect();
            location.frames = self.state.profile.add_frames(frames).unwrap_or_default();
        }
        let frame_type = keys::frame_type(location.kind);
        let index = self.state.profile.add_location(location);
        for place in &row.attribute_indices {
            let Some(attribute) = self.sample_attribute(*place)? else {
                continue;
            };
            let text = self.text_of(&attribute);
            if text.is_some_and(|it| it.0 == keys::FRAME_TYPE && Some(it.1) == frame_type) {
                continue;
            }
            if let Some(index) = index {
                self.keep(Subject::Location(index), attribute.label)?;
            }
        }
        Ok(self.dictionary.locations.keep(at, index))
    }

    /// Returns the name of a location's only function, if it has no file and line.
    fn bare_function(&self, row: &proto::Location) -> Option<&[u8]> {
        let [line] = row.lines.as_slice() else {
            return None;
        };
        let unsaid = &mut Flaws::default();
        let function = self.function(line.function_index, unsaid)?;
        let is_bare = line.line == 0 && function.filename_strindex == 0;
        let name = self
            .dictionary
            .texts
            .bytes(function.name_strindex.into(), unsaid);
        name.filter(|_| is_bare)
    }

    fn function(&self, place: i32, flaws: &mut Flaws) -> Option<proto::Function> {
        let row = (usize::try_from(place).ok()).and_then(|at| self.dictionary.functions.get(at));
        if row.is_none() && place != 0 {
            flaws.count("references beyond the end of a table");
        }
        decode(row?, "functions that cannot be decoded", flaws)
    }

    fn frame(&mut self, line: &proto::Line) -> ProfileFrame {
        let mut flaws = std::mem::take(&mut self.state.flaws);
        let function = self.function(line.function_index, &mut flaws);
        let function = function.unwrap_or_default();
        let mut text = |place: i32| {
            let strings = &mut self.state.profile.strings;
            (self.dictionary.texts).text(place.into(), strings, &mut flaws)
        };
        let name = text(function.name_strindex);
        let linkage_name = text(function.system_name_strindex);
        let file = text(function.filename_strindex);
        let frame = ProfileFrame {
            function: name,
            linkage_name: linkage_name.filter(|linkage| Some(*linkage) != name),
            file,
            line: number(line.line, &mut flaws),
            column: number(line.column, &mut flaws),
            start_line: number(function.start_line, &mut flaws),
            inlined: false,
            start: None,
            start_file_offset: None,
        };
        self.state.flaws = flaws;
        frame
    }

    fn mapped_file(&mut self, place: i32) -> Result<Option<MappedFile>, Error> {
        let (at, row) = match self.dictionary.mappings.look(place, &mut self.state.flaws) {
            RowState::Known(known) => return Ok(known),
            RowState::New(at, row) => (at, row),
        };
        let why_not = "mappings that cannot be decoded";
        let Some(row) = decode::<proto::Mapping>(row, why_not, &mut self.state.flaws) else {
            return Ok(self.dictionary.mappings.keep(at, None));
        };
        let mut build_id = String::new();
        let mut is_virtual = false;
        let mut others = Vec::new();
        for place in &row.attribute_indices {
            let Some(attribute) = self.sample_attribute(*place)? else {
                continue;
            };
            let key = self.state.profile.strings.get(attribute.label.key);
            let text = attribute
                .text()
                .and_then(|text| self.state.profile.strings.get(text));
            match (key, text) {
                (Some(keys::BUILD_ID), Some(text)) => text.clone_into(&mut build_id),
                (Some(ADDRESSES), Some(text)) => is_virtual = text == keys::VIRTUAL_OFFSETS,
                _ => others.push(attribute.label),
            }
        }
        let texts = &self.dictionary.texts;
        let name = texts.bytes(row.filename_strindex.into(), &mut self.state.flaws);
        let told = MappingFields {
            start: row.memory_start,
            limit: row.memory_limit,
            file_offset: row.file_offset,
            name: name.unwrap_or_default(),
            build_id: build_id.as_bytes(),
            is_virtual,
        };
        let ReadState {
            files,
            profile,
            budget,
            flaws,
            ..
        } = &mut self.state;
        let file = files.take(&told, profile, budget, flaws)?;
        for label in others {
            match file.module() {
                Some(module) if !self.state.of_modules.insert((module, label.key)) => {}
                Some(module) => self.keep(Subject::Module(module), label)?,
                None => self.leave_out_attribute(),
            }
        }
        Ok(self.dictionary.mappings.keep(at, Some(file)))
    }

    /// Returns an attribute of the dictionary.
    pub(super) fn sample_attribute(&mut self, place: i32) -> Result<Option<ReadAttribute>, Error> {
        match self
            .dictionary
            .attributes
            .look(place, &mut self.state.flaws)
        {
            RowState::Known(known) => Ok(known),
            RowState::New(at, row) => {
                let attribute = self.row_attribute(row)?;
                Ok(self.dictionary.attributes.keep(at, attribute))
            }
        }
    }

    /// Adds an attribute of a module or location to the profile.
    fn keep(&mut self, of: Subject, label: Label) -> Result<(), Error> {
        self.state.budget.take_rows::<profile::Attribute>(2)?;
        let attribute = profile::Attribute { of, label };
        self.state.profile.attributes.push(attribute);
        Ok(())
    }

    /// Returns the name and value of an attribute whose value is a text.
    fn text_of(&self, attribute: &ReadAttribute) -> Option<(&str, &str)> {
        let strings = &self.state.profile.strings;
        let text = strings.get(attribute.text()?)?;
        Some((strings.get(attribute.label.key)?, text))
    }

    fn leave_out_attribute(&mut self) {
        self.state
            .flaws
            .leave_out("attributes of mappings without a file");
    }

    /// Returns the texts of an attribute with this name whose value is a list.
    pub(super) fn text_list(
        &mut self,
        place: i32,
        name: &str,
    ) -> Result<Option<Vec<String>>, Error> {
        let at = usize::try_from(place).ok().filter(|at| *at > 0);
        let Some(row) = at.and_then(|at| self.dictionary.attributes.rows.get(at).copied()) else {
            return Ok(None);
        };
        self.check_attribute(row)?;
        let unsaid = &mut Flaws::default();
        let row = decode::<proto::KeyValueAndUnit>(row, "", unsaid).unwrap_or_default();
        let key = self.dictionary.texts.bytes(row.key_strindex.into(), unsaid);
        if key != Some(name.as_bytes()) {
            return Ok(None);
        }
        let values = match row.value.and_then(|value| value.value) {
            Some(Any::ArrayValue(list)) => list.values,
            value => vec![opentelemetry_proto::tonic::common::v1::AnyValue { value }],
        };
        let texts = values.into_iter().filter_map(|value| match value.value {
            Some(Any::StringValue(text)) => Some(text),
            _ => None,
        });
        Ok(Some(texts.collect()))
    }
}
