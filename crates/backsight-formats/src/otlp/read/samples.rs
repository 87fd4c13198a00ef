//! The profiles of one sample type each, and their samples.

use std::collections::HashSet;

use backsight_types::profile::{Label, Sample, StrIdx};
use opentelemetry_proto::tonic::profiles::v1development as proto;
use prost::Message as _;

use super::super::{Error, keys};
use super::Reader;
use super::attributes::Context;
use crate::protobuf::{Fields, Value, decode, varint};

/// What a sample takes besides its values and labels.
const SAMPLE: usize = 64;

/// A profile whose samples were not read yet.
#[derive(Debug)]
pub(super) struct Head<'a> {
    message: &'a [u8],
    /// The place of its sample type.
    kind: u32,
    context: Context,
}

impl<'a> Reader<'a> {
    /// Reads of a profile what is said once; `None` when its samples count nothing that
    /// there is room for.
    pub(super) fn head(
        &mut self,
        message: &'a [u8],
        context: Context,
        comments: &mut HashSet<StrIdx>,
    ) -> Result<Option<Head<'a>>, Error> {
        let (mut kind, mut period_type, mut period) = ((0, 0), None, 0);
        let mut attributes = Vec::new();
        let mut fields = Fields::new(message);
        // Where it is broken, it ends: it is counted with the samples.
        while let Ok(Some(field)) = fields.next() {
            match field {
                (1, Value::Bytes(row)) => kind = self.value_type(row),
                (3, Value::Fixed64(time)) if time > 0 => {
                    self.profile.start_ns.get_or_insert(time);
                }
                (4, Value::Varint(duration)) if duration > 0 => {
                    self.profile.duration_ns.get_or_insert(duration);
                }
                (5, Value::Bytes(row)) => period_type = Some(self.value_type(row)),
                (6, Value::Varint(value)) => period = i64::from_ne_bytes(value.to_ne_bytes()),
                (11, Value::Varint(place)) => attributes.push(place),
                (11, Value::Bytes(mut packed)) => {
                    self.budget.check(packed.len().saturating_mul(16))?;
                    while let Some(place) = varint(&mut packed) {
                        attributes.push(place);
                    }
                }
                _ => {}
            }
        }
        for place in attributes {
            self.comments(i32::try_from(place).unwrap_or(-1), comments)?;
        }
        let strings = &mut self.profile.strings;
        let texts = &mut self.dictionary.texts;
        if let Some(kind) = period_type.filter(|kind| period != 0 || *kind != (0, 0)) {
            let kind = texts.value_type(kind, strings, &mut self.flaws);
            self.profile.period.get_or_insert((kind, period));
        }
        let kind = texts.value_type(kind, strings, &mut self.flaws);
        let kind = self.sample_type(kind);
        Ok(kind.map(|kind| Head {
            message,
            kind,
            context,
        }))
    }

    fn comments(&mut self, place: i32, known: &mut HashSet<StrIdx>) -> Result<(), Error> {
        match self.text_list(place, keys::COMMENTS)? {
            Some(texts) => {
                for text in texts {
                    let text = self.profile.strings.intern(&text);
                    if known.insert(text) {
                        self.profile.comments.push(text);
                    }
                }
            }
            None if place != 0 => self.leave_out_attribute(),
            None => {}
        }
        Ok(())
    }

    fn value_type(&mut self, row: &[u8]) -> (i64, i64) {
        let why_not = "sample types that cannot be decoded";
        let kind = decode::<proto::ValueType>(row, why_not, &mut self.flaws);
        let kind = kind.unwrap_or_default();
        (kind.type_strindex.into(), kind.unit_strindex.into())
    }

    /// Reads the samples of a profile.
    pub(super) fn samples(&mut self, head: &Head<'a>) -> Result<(), Error> {
        let mut row = proto::Sample::default();
        let mut labels = Vec::new();
        let mut fields = Fields::new(head.message);
        loop {
            let bytes = match fields.next() {
                Ok(Some((2, Value::Bytes(bytes)))) => bytes,
                Ok(Some(_)) => continue,
                Ok(None) => return Ok(()),
                Err(_) => {
                    self.flaws.count("profiles that are cut off");
                    return Ok(());
                }
            };
            // A value of one byte takes eight.
            self.budget.check(bytes.len().saturating_mul(16))?;
            row.clear();
            if row.merge(bytes).is_err() {
                self.flaws.count("samples that cannot be decoded");
                continue;
            }
            labels.clear();
            self.sample(&row, head, &mut labels)?;
        }
    }

    fn sample(
        &mut self,
        row: &proto::Sample,
        head: &Head<'a>,
        labels: &mut Vec<Label>,
    ) -> Result<(), Error> {
        if row.link_index != 0 {
            self.flaws
                .leave_out("links to spans, which the model has no place for");
        }
        let stack = self.stack(row.stack_index)?;
        let mut context = head.context;
        let mut of_thread = Vec::new();
        for place in &row.attribute_indices {
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
            Some(pid) => self.threads.thread(
                (pid, context.process_name),
                (context.tid, context.thread_name),
                &mut self.profile,
            ),
            None => {
                // Without a process they are labels like others.
                labels.append(&mut of_thread);
                None
            }
        };
        let times = &row.timestamps_unix_nano;
        let values = &row.values;
        if times.is_empty() && values.is_empty() {
            self.flaws.count("samples without a value and a time");
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
            let types = self.profile.sample_types.len();
            let of_values = size_of::<i64>().saturating_mul(types);
            let of_row = SAMPLE.saturating_add(of_labels).saturating_add(of_values);
            self.budget.take(of_row)?;
            let sum = (values.iter()).fold(0_i64, |sum, value| sum.saturating_add(*value));
            // Of all types, so that what the others count of it comes into one row.
            let mut all = vec![0; types];
            let at = usize::try_from(head.kind).unwrap_or(usize::MAX);
            if let Some(value) = all.get_mut(at) {
                *value = sum;
            }
            self.profile.samples.sum(sample, &all, labels);
            return Ok(());
        }
        if !values.is_empty() && values.len() != times.len() {
            self.flaws
                .count("samples that have not as many values as times");
        }
        let ones = std::iter::repeat_n(&1, if values.is_empty() { times.len() } else { 0 });
        for (time, value) in times.iter().zip(values.iter().chain(ones)) {
            self.budget.take(SAMPLE.saturating_add(of_labels))?;
            let sample = Sample {
                time_ns: Some(*time),
                first_type: head.kind,
                ..sample
            };
            self.profile.samples.push(sample, &[*value], labels);
        }
        Ok(())
    }
}
