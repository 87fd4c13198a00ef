//! The dictionary of a file that is written. A row is added when something first refers to it, so
//! that there are no unused rows.

use std::collections::HashMap;
use std::io::{self, Write};

use backsight_profile::{
    Label, LabelValue, LocationIdx, Profile, ProfileFrame, StackIdx, StrIdx, Subject,
};
use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::profiles::v1development as proto;

use super::keys::{self, ADDRESSES};
use super::rows::{Rows, field_len, write_head};
use crate::flaws::Flaws;
use crate::place_name::UNKNOWN;
use crate::placement::{Placement, Space};
use crate::string_table::{StringTable, file_name};

/// The tables, and the index in them of each row of the profile.
#[derive(Debug)]
pub(super) struct Dictionary<'a> {
    profile: &'a Profile,
    placement: Placement,
    strings: StringTable<'a>,
    mappings: Rows,
    locations: Rows,
    functions: Rows,
    attributes: Rows,
    stacks: Rows,
    /// 0 means that the row is not used yet; so in the two fields below.
    mapping_places: Vec<i32>,
    location_places: Vec<i32>,
    stack_places: Vec<i32>,
    /// The attributes of modules and locations.
    attributes_of: HashMap<Subject, Vec<Label>>,
    pub(super) flaws: Flaws,
}

impl<'a> Dictionary<'a> {
    pub(super) fn new(profile: &'a Profile) -> Self {
        let placement = Placement::new(profile);
        let mut attributes_of: HashMap<Subject, Vec<Label>> = HashMap::new();
        for attribute in &profile.attributes {
            let of = attributes_of.entry(attribute.of).or_default();
            of.push(attribute.label);
        }
        Self {
            profile,
            strings: StringTable::new(&profile.strings),
            mappings: Rows::new(),
            locations: Rows::new(),
            functions: Rows::new(),
            attributes: Rows::new(),
            stacks: Rows::new(),
            mapping_places: vec![0; placement.rows.len()],
            location_places: vec![0; profile.locations.len()],
            stack_places: vec![0; profile.stacks.len()],
            placement,
            attributes_of,
            flaws: Flaws::default(),
        }
    }

    /// Returns the index of a stack; 0, the empty stack, if there is none.
    pub(super) fn stack(&mut self, stack: Option<StackIdx>) -> i32 {
        let Some(index) = stack else { return 0 };
        let known = self.stack_places.get(index.as_usize()).copied();
        if let Some(place @ 1..) = known {
            return place;
        }
        let profile = self.profile;
        let locations = profile.stacks.iter(stack);
        let location_indices = locations.filter_map(|index| self.location(index)).collect();
        let place = self.stacks.place(&proto::Stack { location_indices });
        if let Some(known) = self.stack_places.get_mut(index.as_usize()) {
            *known = place;
        }
        place
    }

    fn location(&mut self, index: LocationIdx) -> Option<i32> {
        let known = self.location_places.get(index.as_usize()).copied();
        if let Some(place @ 1..) = known {
            return Some(place);
        }
        let Some(location) = self.profile.location(index) else {
            self.flaws.count("stacks that refer to a missing location");
            return None;
        };
        let place = self.placement.places.get(index.as_usize()).copied();
        let place = place.unwrap_or_default();
        let frames = self.profile.frames_of(location).iter();
        if location.frames.len > 0 && frames.len() == 0 {
            self.flaws.count("locations that refer to missing frames");
        }
        let mut lines: Vec<proto::Line> = frames.map(|frame| self.line(frame)).collect();
        if lines.is_empty() && place.row.is_none() {
            let why = match location.reason {
                Some(reason) => Some(format!("[{reason}]")),
                None => (place.address == 0).then(|| UNKNOWN.to_owned()),
            };
            lines.extend(why.map(|why| {
                let name_strindex = self.own(&why);
                let function = proto::Function {
                    name_strindex,
                    ..proto::Function::default()
                };
                proto::Line {
                    function_index: self.functions.place(&function),
                    ..proto::Line::default()
                }
            }));
        }
        let attribute_indices = self.attributes_of(Subject::Location(index), &[]);
        let has_type = |row: &&Label| self.profile.strings.get(row.key) == Some(keys::FRAME_TYPE);
        let told = self.attributes_of.get(&Subject::Location(index));
        let is_told = told.is_some_and(|labels| labels.iter().any(|row| has_type(&row)));
        let frame_type = keys::frame_type(location.kind).filter(|_| !is_told);
        let frame_type = frame_type.map(|value| self.text_attribute(keys::FRAME_TYPE, value));
        let attributes = frame_type.into_iter().chain(attribute_indices);
        let row = proto::Location {
            mapping_index: place.row.map_or(0, |row| self.mapping(row)),
            address: place.address,
            lines,
            attribute_indices: attributes.collect(),
        };
        let place = self.locations.place(&row);
        if let Some(known) = self.location_places.get_mut(index.as_usize()) {
            *known = place;
        }
        Some(place)
    }

    fn mapping(&mut self, row: u32) -> i32 {
        let at = usize::try_from(row).unwrap_or(usize::MAX);
        let known = self.mapping_places.get(at).copied();
        if let Some(place @ 1..) = known {
            return place;
        }
        let Some(row) = self.placement.rows.get(at).copied() else {
            return 0;
        };
        let module = self.profile.module(row.module);
        let space = match row.space {
            Space::Virtual => keys::VIRTUAL_OFFSETS,
            Space::File => keys::FILE_OFFSETS,
        };
        let mut attribute_indices = vec![self.text_attribute(ADDRESSES, space)];
        if let Some(id) = module.and_then(|module| module.build_id) {
            attribute_indices.push(self.text_attribute(keys::BUILD_ID, &id.to_string()));
        }
        let known = [ADDRESSES, keys::BUILD_ID];
        attribute_indices.extend(self.attributes_of(Subject::Module(row.module), &known));
        let mapping = proto::Mapping {
            memory_start: row.start,
            memory_limit: row.limit,
            file_offset: row.file_offset,
            filename_strindex: self.own(&module.map(file_name).unwrap_or_default()),
            attribute_indices,
        };
        let place = self.mappings.place(&mapping);
        if let Some(known) = self.mapping_places.get_mut(at) {
            *known = place;
        }
        place
    }

    fn line(&mut self, frame: &ProfileFrame) -> proto::Line {
        let name = frame.function.or(frame.linkage_name);
        let function = proto::Function {
            name_strindex: self.text(name),
            system_name_strindex: self.text(frame.linkage_name),
            filename_strindex: self.text(frame.file),
            start_line: frame.start_line.unwrap_or(0).into(),
        };
        proto::Line {
            function_index: self.functions.place(&function),
            line: frame.line.unwrap_or(0).into(),
            column: frame.column.unwrap_or(0).into(),
        }
    }

    /// Returns the indices of the attributes of a module or location, except those with the names
    /// `but`.
    fn attributes_of(&mut self, of: Subject, but: &[&str]) -> Vec<i32> {
        let labels = self.attributes_of.get(&of).cloned().unwrap_or_default();
        let mut used = Vec::new();
        let mut places = Vec::with_capacity(labels.len());
        for label in labels {
            let name = self.profile.strings.get(label.key).unwrap_or_default();
            if but.contains(&name) || name.is_empty() || used.contains(&label.key) {
                self.flaws
                    .count("attributes without a name, or with the name of another one");
                continue;
            }
            used.push(label.key);
            places.push(self.label(&label));
        }
        places
    }

    /// Returns the index of a label as an attribute.
    pub(super) fn label(&mut self, label: &Label) -> i32 {
        let key = self.text(Some(label.key));
        let (value, unit) = match label.value {
            LabelValue::Text(text) => {
                let text = self.profile.strings.get(text).unwrap_or_default();
                (Value::StringValue(text.to_owned()), 0)
            }
            LabelValue::Number(number, unit) => (Value::IntValue(number), self.text(unit)),
        };
        self.attribute(key, value, unit)
    }

    /// Returns the index of a string of the profile.
    pub(super) fn text(&mut self, text: Option<StrIdx>) -> i32 {
        let place = text.map_or(0, |text| self.strings.place(text));
        i32::try_from(place).unwrap_or(0)
    }

    /// Returns the index of a string that need not be in the profile.
    pub(super) fn own(&mut self, text: &str) -> i32 {
        i32::try_from(self.strings.own(text)).unwrap_or(0)
    }

    /// Returns the index of an attribute whose value is a text.
    pub(super) fn text_attribute(&mut self, key: &str, value: &str) -> i32 {
        let key = self.own(key);
        self.attribute(key, Value::StringValue(value.to_owned()), 0)
    }

    /// Returns the index of an attribute.
    pub(super) fn attribute(&mut self, key: i32, value: Value, unit: i32) -> i32 {
        self.attributes.place(&proto::KeyValueAndUnit {
            key_strindex: key,
            value: Some(AnyValue { value: Some(value) }),
            unit_strindex: unit,
        })
    }

    /// Writes the dictionary as field 2 of `ProfilesData`.
    pub(super) fn write(&self, mut out: impl Write) -> io::Result<()> {
        let links = Rows::new();
        let tables = [
            (1, &self.mappings),
            (2, &self.locations),
            (3, &self.functions),
            (4, &links),
            (6, &self.attributes),
            (7, &self.stacks),
        ];
        let rows = tables.iter().flat_map(|(_, table)| table.iter());
        let texts = self.strings.iter().map(str::as_bytes);
        let len =
            (rows.chain(texts)).fold(0_usize, |sum, row| sum.saturating_add(field_len(row.len())));
        write_head(2, len, &mut out)?;
        for (field, table) in tables {
            for row in table.iter() {
                write_head(field, row.len(), &mut out)?;
                out.write_all(row)?;
            }
        }
        for text in self.strings.iter() {
            write_head(5, text.len(), &mut out)?;
            out.write_all(text.as_bytes())?;
        }
        Ok(())
    }
}
