//! Reads profiles, of which each has one sample type, and their samples.

use backsight_profile::{Label, Sample};
use opentelemetry_proto::tonic::profiles::v1development as proto;

use super::super::keys;
use super::attribute::ThreadIdentity;
use super::layout::{self, Layout, SampleRow, Votes};
use super::reader::Reader;
use crate::protobuf::{Error, MessageFields, Value, decode, varint};

/// The memory of a sample without its values and labels.
const SAMPLE: usize = 64;

/// A profile whose samples are not read yet.
#[derive(Debug)]
pub(super) struct ProfileHead<'a> {
    message: &'a [u8],
    /// The index of its sample type.
    kind: u32,
    context: ThreadIdentity,
    /// The labels that its resource, scope and attributes give to all samples.
    labels: Vec<Label>,
}

impl<'a> Reader<'a> {
    /// Reads a profile without its samples; `None` if there are too many sample types.
    pub(super) fn head(
        &mut self,
        message: &'a [u8],
        context: ThreadIdentity,
        mut labels: Vec<Label>,
    ) -> Result<Option<ProfileHead<'a>>, Error> {
        let (mut kind, mut period_type, mut period) = ((0, 0), None, 0);
        let mut attributes = Vec::new();
        let mut fields = MessageFields::new(message);
        // A damaged profile is read up to the damage, and counted when its samples are read.
        while let Ok(Some(field)) = fields.next() {
            match field {
                (1, Value::Bytes(row)) => kind = self.value_type(row),
                // Before stacks had a table, this field had the locations of all samples.
                (3, Value::Bytes(_)) => return Err(TOO_OLD),
                (3, Value::Fixed64(time)) if time > 0 => {
                    self.state.profile.start_ns.get_or_insert(time);
                }
                (4, Value::Varint(duration)) if duration > 0 => {
                    self.state.profile.duration_ns.get_or_insert(duration);
                }
                (5, Value::Bytes(row)) => period_type = Some(self.value_type(row)),
                (6, Value::Varint(value)) => period = i64::from_ne_bytes(value.to_ne_bytes()),
                (11, Value::Varint(place)) => attributes.push(place),
                (11, Value::Bytes(mut packed)) => {
                    self.state.budget.check(packed.len().saturating_mul(16))?;
                    while let Some(place) = varint(&mut packed) {
                        attributes.push(place);
                    }
                }
                _ => {}
            }
        }
        for place in attributes {
            self.of_profile(i32::try_from(place).unwrap_or(-1), &mut labels)?;
        }
        let strings = &mut self.state.profile.strings;
        let texts = &mut self.dictionary.texts;
        if let Some(kind) = period_type.filter(|kind| period != 0 || *kind != (0, 0)) {
            let kind = texts.value_type(kind, strings, &mut self.state.flaws);
            self.state.profile.period.get_or_insert((kind, period));
        }
        let kind = texts.value_type(kind, strings, &mut self.state.flaws);
        let kind = self.sample_type(kind);
        Ok(kind.map(|kind| ProfileHead {
            message,
            kind,
            context,
            labels,
        }))
    }

    /// Reads an attribute of a profile: comments, or a label of all its samples.
    fn of_profile(&mut self, place: i32, labels: &mut Vec<Label>) -> Result<(), Error> {
        if let Some(texts) = self.text_list(place, keys::COMMENTS)? {
            for text in texts {
                let text = self.state.profile.strings.intern(&text);
                if self.state.comments.insert(text) {
                    self.state.profile.comments.push(text);
                }
            }
        } else if let Some(attribute) = self.sample_attribute(place)? {
            self.share(attribute.label, labels);
        }
        Ok(())
    }

    fn value_type(&mut self, row: &[u8]) -> (i64, i64) {
        let why_not = "sample types that cannot be decoded";
        let kind = decode::<proto::ValueType>(row, why_not, &mut self.state.flaws);
        let kind = kind.unwrap_or_default();
        (kind.type_strindex.into(), kind.unit_strindex.into())
    }

    /// Determines the layout of the samples of a message, and counts those for which it is not
    /// certain.
    pub(super) fn layout(&mut self, heads: &[ProfileHead<'a>]) -> Result<Layout, Error> {
        let tables = self.dictionary.tables();
        let mut votes = Votes::default();
        for head in heads {
            let mut fields = MessageFields::new(head.message);
            while let Ok(Some(field)) = fields.next() {
                if let (2, Value::Bytes(bytes)) = field {
                    self.state.budget.check(bytes.len().saturating_mul(32))?;
                    votes.count(bytes, &tables);
                }
            }
        }
        let layout = votes.layout();
        if layout.is_none() && votes.unclear > 0 {
            self.state.flaws.change(
                "samples that are valid in OTLP 1.9 and 1.10 with different meanings: read as 1.10",
                votes.unclear,
            );
        }
        let other = votes.since_1_8.min(votes.since_1_10);
        if other > 0 {
            self.state.flaws.change(
                "samples in the layout of another OTLP version than most",
                other,
            );
        }
        Ok(layout.unwrap_or(Layout::Since1_10))
    }

    /// Reads the samples of a profile.
    pub(super) fn samples(&mut self, head: &ProfileHead<'a>, layout: Layout) -> Result<(), Error> {
        let tables = self.dictionary.tables();
        let mut labels = Vec::new();
        let mut fields = MessageFields::new(head.message);
        loop {
            let bytes = match fields.next() {
                Ok(Some((2, Value::Bytes(bytes)))) => bytes,
                Ok(Some(_)) => continue,
                Ok(None) => return Ok(()),
                Err(_) => {
                    self.state.flaws.count("profiles that are cut off");
                    return Ok(());
                }
            };
            // A value of one byte takes eight bytes, and each sample is decoded twice.
            self.state.budget.check(bytes.len().saturating_mul(32))?;
            let layout = layout::of_sample(bytes, &tables).unwrap_or(layout);
            let Some(row) = SampleRow::read(bytes, layout) else {
                self.state.flaws.count("samples that cannot be decoded");
                continue;
            };
            labels.clear();
            self.sample(&row, head, &mut labels)?;
        }
    }

    fn sample(
        &mut self,
        row: &SampleRow,
        head: &ProfileHead<'a>,
        labels: &mut Vec<Label>,
    ) -> Result<(), Error> {
        if row.link != 0 {
            self.state
                .flaws
                .leave_out("links to spans, which cannot be represented");
        }
        let stack = self.stack(row.stack)?;
        let mut context = head.context;
        let mut of_thread = Vec::new();
        for place in &row.attributes {
            let Some(attribute) = self.sample_attribute(*place)? else {
                continue;
            };
            if context.take(attribute.role) {
                of_thread.push(attribute.label);
            } else {
                labels.push(attribute.label);
            }
        }
        let thread = match context.pid {
            Some(pid) => self.state.threads.thread(
                (pid, context.process_name),
                (context.tid, context.thread_name),
                &mut self.state.profile,
            ),
            None => {
                // Without a process, they are ordinary labels.
                labels.append(&mut of_thread);
                None
            }
        };
        for label in &head.labels {
            if labels.iter().any(|own| own.key == label.key) {
                self.state
                    .flaws
                    .leave_out("attributes that a sample overrides");
            } else {
                labels.push(*label);
            }
        }
        let times = &row.times;
        let values = &row.values;
        if times.is_empty() && values.is_empty() {
            self.state
                .flaws
                .count("samples with neither a value nor a time");
            return Ok(());
        }
        let of_labels = size_of::<Label>().saturating_mul(labels.len());
        let sample = Sample {
            thread,
            time_ns: None,
            stack,
            first_type: 0,
        };
        if times.is_empty() {
            let types = self.state.profile.sample_types.len();
            let of_values = size_of::<i64>().saturating_mul(types);
            let of_row = SAMPLE.saturating_add(of_labels).saturating_add(of_values);
            self.state.budget.take(of_row)?;
            let sum = (values.iter()).fold(0_i64, |sum, value| sum.saturating_add(*value));
            // One value for each type, so that values of other types are added to the same sample.
            let mut all = vec![0; types];
            let at = usize::try_from(head.kind).unwrap_or(usize::MAX);
            if let Some(value) = all.get_mut(at) {
                *value = sum;
            }
            self.state.profile.samples.sum(sample, &all, labels);
            return Ok(());
        }
        if !values.is_empty() && values.len() != times.len() {
            self.state
                .flaws
                .count("samples whose numbers of values and times differ");
        }
        let ones = std::iter::repeat_n(&1, if values.is_empty() { times.len() } else { 0 });
        for (time, value) in times.iter().zip(values.iter().chain(ones)) {
            self.state.budget.take(SAMPLE.saturating_add(of_labels))?;
            let sample = Sample {
                time_ns: Some(*time),
                first_type: head.kind,
                ..sample
            };
            self.state.profile.samples.push(sample, &[*value], labels);
        }
        Ok(())
    }
}

/// Before OTLP 1.8, samples referred to a range of locations, and all field numbers differed.
const TOO_OLD: Error = Error::Malformed {
    offset: 0,
    reason: "a profile of OTLP before 1.8, whose samples have no stacks of their own: \
             what wrote it may write pprof, or a later version",
};
