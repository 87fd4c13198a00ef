//! A profile as OTLP: resource by resource, and the dictionary behind them.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufWriter, Write};

use backsight_types::profile::{Label, LabelValue, ProcessIdx, Profile, Sample, ValueType};
use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue,
};
use opentelemetry_proto::tonic::profiles::v1development as proto;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;

use super::dictionary::Dictionary;
use super::keys;
use super::rows::write_head;
use crate::flaws::Flaws;

/// How a profile is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Packed by gzip, as it may be on the way to a server.
    pub gzip: bool,
    /// Samples keep their times. The format wants nanoseconds since 1970: times before
    /// the start of the profile are those of another clock, and all are moved so that the
    /// first sample is at the start. Without, samples that are alike but for their times
    /// are summed up.
    pub times: bool,
}

/// Writes a profile, and returns what of it could not be written as it is.
///
/// # Errors
///
/// Those of `out`.
pub fn write(profile: &Profile, out: impl Write, options: &Options) -> io::Result<Flaws> {
    if options.gzip {
        let mut packed = GzEncoder::new(out, Compression::fast());
        let flaws = Writer::new(profile, *options).run(&mut packed)?;
        packed.finish()?.flush()?;
        Ok(flaws)
    } else {
        let mut out = BufWriter::new(out);
        let flaws = Writer::new(profile, *options).run(&mut out)?;
        out.flush()?;
        Ok(flaws)
    }
}

#[derive(Debug)]
struct Writer<'a> {
    profile: &'a Profile,
    options: Options,
    dictionary: Dictionary<'a>,
    types: Vec<proto::ValueType>,
    /// What is added to times.
    moved: u64,
}

/// The samples of one resource: of each sample type, in the order of their first ones.
#[derive(Debug)]
struct Group {
    samples: Vec<Vec<proto::Sample>>,
    /// By type, stack and attributes, and whether they have times.
    places: HashMap<Key, usize>,
}

type Key = (usize, i32, Vec<i32>, bool);

impl<'a> Writer<'a> {
    fn new(profile: &'a Profile, options: Options) -> Self {
        let mut dictionary = Dictionary::new(profile);
        let types = profile.sample_types.iter();
        let mut types: Vec<_> = types.map(|it| value_type(it, &mut dictionary)).collect();
        if types.is_empty() {
            types.push(proto::ValueType {
                type_strindex: dictionary.own("samples"),
                unit_strindex: dictionary.own("count"),
            });
        }
        let times = profile.samples.iter();
        let first = times.filter_map(|(sample, ..)| sample.time_ns).min();
        let start = profile.start_ns.unwrap_or(0);
        let moved = first.and_then(|first| start.checked_sub(first));
        Self {
            profile,
            options,
            dictionary,
            types,
            moved: moved.unwrap_or(0),
        }
    }

    fn run(mut self, mut out: impl Write) -> io::Result<Flaws> {
        let profile = self.profile;
        let mut groups: BTreeMap<Option<ProcessIdx>, Vec<usize>> = BTreeMap::new();
        for (at, (sample, ..)) in profile.samples.iter().enumerate() {
            let thread = sample.thread.and_then(|index| profile.thread(index));
            let process = thread.map(|thread| thread.process);
            groups.entry(process).or_default().push(at);
        }
        if groups.is_empty() {
            groups.insert(None, Vec::new());
        }
        let mut buffer = Vec::new();
        for (at, (process, samples)) in groups.into_iter().enumerate() {
            // All sample types stand in the first, so that their order is known.
            let resource = self.resource(process, &samples, at == 0);
            buffer.clear();
            resource.encode(&mut buffer).map_err(io::Error::other)?;
            write_head(1, buffer.len(), &mut out)?;
            out.write_all(&buffer)?;
        }
        self.dictionary.write(&mut out)?;
        Ok(self.dictionary.flaws)
    }

    fn resource(
        &mut self,
        process: Option<ProcessIdx>,
        samples: &[usize],
        all_types: bool,
    ) -> proto::ResourceProfiles {
        let profile = self.profile;
        let mut group = Group {
            samples: vec![Vec::new(); self.types.len()],
            places: HashMap::new(),
        };
        for at in samples {
            if let Some((sample, values, labels)) = profile.samples.get(*at) {
                self.sample(&sample, values, labels, &mut group);
            }
        }
        let types = self.types.clone();
        let profiles = types.into_iter().zip(group.samples);
        let profiles = profiles.filter(|(_, samples)| all_types || !samples.is_empty());
        let profiles = profiles.map(|(kind, samples)| self.profile(kind, samples));
        let profiles = profiles.collect();
        proto::ResourceProfiles {
            resource: Some(Resource {
                attributes: self.resource_attributes(process),
                ..Resource::default()
            }),
            scope_profiles: vec![proto::ScopeProfiles {
                scope: Some(self.scope()),
                profiles,
                schema_url: String::new(),
            }],
            schema_url: String::new(),
        }
    }

    fn resource_attributes(&self, process: Option<ProcessIdx>) -> Vec<KeyValue> {
        let process = process.and_then(|index| self.profile.process(index));
        let pid = process.map(|it| key_value(keys::PID, Value::IntValue(it.pid.into())));
        let name = process.and_then(|it| self.profile.strings.get(it.name?));
        let name = name.map(|it| key_value(keys::PROCESS_NAME, Value::StringValue(it.to_owned())));
        pid.into_iter().chain(name).collect()
    }

    fn scope(&self) -> InstrumentationScope {
        let default = self
            .profile
            .default_type
            .and_then(|at| usize::try_from(at).ok());
        let default = default.and_then(|at| self.profile.sample_types.get(at));
        let name = default.and_then(|kind| self.profile.strings.get(kind.kind));
        let attribute =
            name.map(|name| key_value(keys::DEFAULT_TYPE, Value::StringValue(name.to_owned())));
        InstrumentationScope {
            name: "backsight".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            attributes: attribute.into_iter().collect(),
            ..InstrumentationScope::default()
        }
    }

    fn profile(&mut self, kind: proto::ValueType, samples: Vec<proto::Sample>) -> proto::Profile {
        let profile = self.profile;
        let comments = profile.comments.iter();
        let comments = comments.filter_map(|comment| profile.strings.get(*comment));
        let comments: Vec<AnyValue> = comments
            .map(|comment| AnyValue {
                value: Some(Value::StringValue(comment.to_owned())),
            })
            .collect();
        let attribute = (!comments.is_empty()).then(|| {
            let key = self.dictionary.own(keys::COMMENTS);
            let value = Value::ArrayValue(ArrayValue { values: comments });
            self.dictionary.attribute(key, value, 0)
        });
        let period = profile.period.as_ref();
        proto::Profile {
            sample_type: Some(kind),
            samples,
            time_unix_nano: profile.start_ns.unwrap_or(0),
            duration_nano: profile.duration_ns.unwrap_or(0),
            period_type: period.map(|(kind, _)| value_type(kind, &mut self.dictionary)),
            period: period.map_or(0, |(_, period)| *period),
            attribute_indices: attribute.into_iter().collect(),
            ..proto::Profile::default()
        }
    }

    fn sample(&mut self, sample: &Sample, values: &[i64], labels: &[Label], group: &mut Group) {
        let one = [1];
        let no_types = self.profile.sample_types.is_empty();
        // Without types, a sample is one sample.
        let values = if no_types && values.is_empty() {
            &one
        } else {
            values
        };
        let stack = self.dictionary.stack(sample.stack);
        let attributes = self.attributes(sample, labels);
        let time = sample.time_ns.filter(|_| self.options.times);
        let time = time.map(|time| time.saturating_add(self.moved));
        let first = usize::try_from(sample.first_type).unwrap_or(usize::MAX);
        // A sample of nothing stands where its first value would.
        let is_nothing = values.iter().all(|value| *value == 0);
        let values = if values.is_empty() { &[0] } else { values };
        for (at, value) in values.iter().enumerate() {
            if *value == 0 && !(is_nothing && at == 0) {
                continue;
            }
            let at = first.saturating_add(at);
            let Some(samples) = group.samples.get_mut(at) else {
                self.dictionary
                    .flaws
                    .count("values of samples past the last sample type");
                continue;
            };
            let key = (at, stack, attributes.clone(), time.is_some());
            let place = *group.places.entry(key).or_insert_with(|| {
                samples.push(proto::Sample {
                    stack_index: stack,
                    attribute_indices: attributes.clone(),
                    ..proto::Sample::default()
                });
                samples.len().saturating_sub(1)
            });
            let Some(written) = samples.get_mut(place) else {
                continue;
            };
            match (time, written.values.first_mut()) {
                (None, Some(sum)) => *sum = sum.saturating_add(*value),
                _ => written.values.push(*value),
            }
            written.timestamps_unix_nano.extend(time);
        }
    }

    fn attributes(&mut self, sample: &Sample, labels: &[Label]) -> Vec<i32> {
        let profile = self.profile;
        let mut used = Vec::with_capacity(labels.len().saturating_add(2));
        let mut attributes = Vec::with_capacity(used.capacity());
        let thread = sample.thread.and_then(|index| profile.thread(index));
        if let Some(tid) = thread.and_then(|thread| thread.tid) {
            let key = self.dictionary.own(keys::TID);
            used.push(key);
            attributes.push(
                self.dictionary
                    .attribute(key, Value::IntValue(tid.into()), 0),
            );
        }
        let name = thread.and_then(|thread| profile.strings.get(thread.name?));
        if let Some(name) = name {
            used.push(self.dictionary.own(keys::THREAD_NAME));
            attributes.push(self.dictionary.text_attribute(keys::THREAD_NAME, name));
        }
        for label in labels {
            let key = self.dictionary.text(Some(label.key));
            if key == 0 || used.contains(&key) {
                self.dictionary.flaws.count(match key {
                    0 => "labels without a name",
                    _ => "labels whose name another one of the sample has",
                });
                continue;
            }
            used.push(key);
            let (value, unit) = match label.value {
                LabelValue::Text(text) => {
                    let text = profile.strings.get(text).unwrap_or_default();
                    (Value::StringValue(text.to_owned()), 0)
                }
                LabelValue::Number(number, unit) => {
                    (Value::IntValue(number), self.dictionary.text(unit))
                }
            };
            attributes.push(self.dictionary.attribute(key, value, unit));
        }
        attributes
    }
}

fn value_type(kind: &ValueType, dictionary: &mut Dictionary<'_>) -> proto::ValueType {
    proto::ValueType {
        type_strindex: dictionary.text(Some(kind.kind)),
        unit_strindex: dictionary.text(Some(kind.unit)),
    }
}

fn key_value(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}
