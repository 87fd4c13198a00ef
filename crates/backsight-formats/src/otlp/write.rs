//! Writes OTLP: first the resources, then the dictionary.

mod origin;

use std::collections::HashMap;
use std::io::{self, BufWriter, Write};

use backsight_profile::{Label, Profile, Sample, ValueType};
use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope};
use opentelemetry_proto::tonic::profiles::v1development as proto;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;

use self::origin::Origins;
use super::dictionary::Dictionary;
use super::keys;
use super::rows::write_head;
use crate::flaws::Flaws;

/// How a profile is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Whether the file is gzipped. Servers accept both.
    pub gzip: bool,
    /// Whether samples keep their times. The format requires nanoseconds since 1970. Times before
    /// the start of the profile are of another clock; then all times are shifted so that the first
    /// sample is at the start. Without times, samples that differ only in time are summed.
    pub times: bool,
}

impl Options {
    /// Sets whether the file is gzipped.
    #[must_use]
    pub const fn with_gzip(self, gzip: bool) -> Self {
        Self { gzip, ..self }
    }

    /// Sets whether samples keep their times.
    #[must_use]
    pub const fn with_times(self, times: bool) -> Self {
        Self { times, ..self }
    }
}

/// Writes a profile. Returns counts of what could not be represented.
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
    /// The number of nanoseconds that are added to times.
    moved: u64,
    start: u64,
    /// Not less than needed: the times of all samples must be before the end.
    duration: u64,
}

/// The samples of a scope, in the order of their first use. For each sample type, samples without
/// times and samples with times are separate, because no profile may have both.
#[derive(Debug)]
struct Group {
    samples: Vec<[Vec<proto::Sample>; 2]>,
    /// The index of each sample, by type, stack, attributes, and whether it has times.
    places: HashMap<SampleKey, usize>,
}

type SampleKey = (usize, i32, Vec<i32>, bool);

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
        let times = times.filter_map(|(sample, ..)| sample.time_ns);
        let (mut first, mut last) = (None, 0);
        for time in times.filter(|_| options.times) {
            first = Some(first.map_or(time, |first: u64| first.min(time)));
            last = last.max(time);
        }
        let start = profile.start_ns.or(first).unwrap_or(0);
        let moved = first.and_then(|first| start.checked_sub(first));
        let moved = moved.unwrap_or(0);
        let behind = last.saturating_add(moved).saturating_add(1);
        let needed = match first {
            Some(_) => behind.saturating_sub(start),
            None => 0,
        };
        let told = profile.duration_ns.unwrap_or(0);
        Self {
            profile,
            options,
            dictionary,
            types,
            moved,
            start,
            duration: told.max(needed),
        }
    }

    fn run(mut self, mut out: impl Write) -> io::Result<Flaws> {
        let origins = Origins::of(self.profile);
        let mut buffer = Vec::new();
        let mut first = true;
        for resource in &origins.resources {
            let scopes = resource.scopes.iter().map(|scope| {
                // The first scope has all sample types, which gives their order.
                let all_types = std::mem::take(&mut first);
                proto::ScopeProfiles {
                    scope: Some(self.scope(&scope.labels)),
                    profiles: self.profiles(&origins, &scope.samples, all_types),
                    schema_url: String::new(),
                }
            });
            let resource = proto::ResourceProfiles {
                scope_profiles: scopes.collect(),
                resource: Some(Resource {
                    attributes: resource.attributes(self.profile),
                    ..Resource::default()
                }),
                schema_url: String::new(),
            };
            buffer.clear();
            resource.encode(&mut buffer).map_err(io::Error::other)?;
            write_head(1, buffer.len(), &mut out)?;
            out.write_all(&buffer)?;
        }
        self.dictionary.write(&mut out)?;
        Ok(self.dictionary.flaws)
    }

    fn profiles(
        &mut self,
        origins: &Origins,
        samples: &[usize],
        all_types: bool,
    ) -> Vec<proto::Profile> {
        let profile = self.profile;
        let mut group = Group {
            samples: vec![Default::default(); self.types.len()],
            places: HashMap::new(),
        };
        for at in samples {
            if let Some((sample, values, labels)) = profile.samples.get(*at) {
                let labels = origins.of_sample(profile, labels);
                self.sample(&sample, values, &labels, &mut group);
            }
        }
        let types = self.types.clone();
        let mut profiles = Vec::new();
        for (at, (kind, [plain, timed])) in types.into_iter().zip(group.samples).enumerate() {
            // A scope must have a profile.
            let is_only = at == 0 && samples.is_empty();
            if all_types && timed.is_empty() || is_only || !plain.is_empty() {
                profiles.push(self.profile(kind, plain));
            }
            if !timed.is_empty() {
                profiles.push(self.profile(kind, timed));
            }
        }
        if profiles.is_empty() {
            let kind = self.types.first().copied().unwrap_or_default();
            profiles.push(self.profile(kind, Vec::new()));
        }
        profiles
    }

    fn scope(&self, labels: &[Label]) -> InstrumentationScope {
        let profile = self.profile;
        let default = profile.default_type.and_then(|at| usize::try_from(at).ok());
        let default = default.and_then(|at| profile.sample_types.get(at));
        let name = default.and_then(|kind| profile.strings.get(kind.kind));
        let attribute = name
            .map(|name| origin::key_value(keys::DEFAULT_TYPE, Value::StringValue(name.to_owned())));
        let ours = InstrumentationScope {
            name: keys::OUR_SCOPE.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let mut scope = origin::scope(profile, labels).unwrap_or(ours);
        scope.attributes.extend(attribute);
        scope
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
            time_unix_nano: self.start,
            duration_nano: self.duration,
            period_type: period.map(|(kind, _)| value_type(kind, &mut self.dictionary)),
            period: period.map_or(0, |(_, period)| *period),
            attribute_indices: attribute.into_iter().collect(),
            ..proto::Profile::default()
        }
    }

    fn sample(&mut self, sample: &Sample, values: &[i64], labels: &[Label], group: &mut Group) {
        let one = [1];
        let no_types = self.profile.sample_types.is_empty();
        // Without sample types, the value is the number of samples.
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
        // A sample whose values are all 0 is written with its first value.
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
                    .count("values of samples after the last sample type");
                continue;
            };
            let key = (at, stack, attributes.clone(), time.is_some());
            let [plain, timed] = samples;
            let samples = if time.is_some() { timed } else { plain };
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
                    _ => "labels with the name of another label of the sample",
                });
                continue;
            }
            used.push(key);
            attributes.push(self.dictionary.label(label));
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
