//! Groups samples by resource and scope.
//!
//! The model has only labels of samples. Labels whose names are those of attributes of a process,
//! container or host are moved back to the resource or scope that they were read from.

use std::collections::HashMap;

use backsight_profile::{Label, LabelValue, ProcessIdx, Profile, StrIdx};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};

use super::super::keys;

/// The resources, in the order of their first samples; those without a process are first.
#[derive(Debug, Default)]
pub(super) struct Origins {
    pub(super) resources: Vec<Resource>,
    levels: HashMap<StrIdx, Level>,
}

/// A process, and the labels that its samples share.
#[derive(Debug)]
pub(super) struct Resource {
    process: Option<ProcessIdx>,
    labels: Vec<Label>,
    pub(super) scopes: Vec<Scope>,
}

/// A scope, and its samples.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) labels: Vec<Label>,
    /// The indices of samples in the profile.
    pub(super) samples: Vec<usize>,
}

/// A process, and the labels of its resource and of the scope.
type OriginKey = (Option<ProcessIdx>, Vec<Label>, Vec<Label>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Resource,
    Scope,
    Sample,
}

impl Origins {
    pub(super) fn of(profile: &Profile) -> Self {
        let mut origins = Self::default();
        let mut places: HashMap<OriginKey, (usize, usize)> = HashMap::new();
        let mut resources: HashMap<(Option<ProcessIdx>, Vec<Label>), usize> = HashMap::new();
        for (at, (sample, _, labels)) in profile.samples.iter().enumerate() {
            let thread = sample.thread.and_then(|index| profile.thread(index));
            let process = thread.map(|thread| thread.process);
            for label in labels {
                let level = || level_of(profile, label.key);
                origins.levels.entry(label.key).or_insert_with(level);
            }
            let [of_resource, of_scope] = [Level::Resource, Level::Scope]
                .map(|level| origins.those_of(profile, labels, level));
            let key = (process, of_resource, of_scope);
            if let Some((resource, scope)) = places.get(&key) {
                let found = origins.resources.get_mut(*resource);
                let found = found.and_then(|it| it.scopes.get_mut(*scope));
                if let Some(scope) = found {
                    scope.samples.push(at);
                }
                continue;
            }
            let (process, of_resource, of_scope) = key.clone();
            let list = &mut origins.resources;
            let resource = *resources
                .entry((process, of_resource.clone()))
                .or_insert_with(|| {
                    list.push(Resource {
                        process,
                        labels: of_resource,
                        scopes: Vec::new(),
                    });
                    list.len().saturating_sub(1)
                });
            if let Some(it) = list.get_mut(resource) {
                places.insert(key, (resource, it.scopes.len()));
                it.scopes.push(Scope {
                    labels: of_scope,
                    samples: vec![at],
                });
            }
        }
        if origins.resources.is_empty() {
            origins.resources.push(Resource {
                process: None,
                labels: Vec::new(),
                scopes: vec![Scope {
                    labels: Vec::new(),
                    samples: Vec::new(),
                }],
            });
        }
        origins.resources.sort_by_key(|resource| resource.process);
        origins
    }

    /// Returns the labels that stay with the sample.
    pub(super) fn of_sample(&self, profile: &Profile, labels: &[Label]) -> Vec<Label> {
        self.those_of(profile, labels, Level::Sample)
    }

    fn those_of(&self, profile: &Profile, labels: &[Label], level: Level) -> Vec<Label> {
        let mut those = Vec::new();
        for (at, label) in labels.iter().enumerate() {
            let is_repeated = || {
                let before = labels.get(..at).unwrap_or_default();
                before.iter().any(|other| other.key == label.key)
            };
            let told = self.levels.get(&label.key).copied();
            let told = told.unwrap_or(Level::Sample);
            // Only attributes of samples can have a unit. Only there can a name be repeated, which
            // is counted.
            let told = match (told, label.value) {
                (Level::Sample, _) | (_, LabelValue::Number(_, Some(_))) => Level::Sample,
                (Level::Resource, _) if is_of_process(profile, label.key) => Level::Sample,
                _ if is_repeated() => Level::Sample,
                (told, _) => told,
            };
            if told == level {
                those.push(*label);
            }
        }
        those
    }
}

impl Resource {
    pub(super) fn attributes(&self, profile: &Profile) -> Vec<KeyValue> {
        let process = self.process.and_then(|index| profile.process(index));
        let pid = process.map(|it| key_value(keys::PID, Value::IntValue(it.pid.into())));
        let name = process.and_then(|it| profile.strings.get(it.name?));
        let name = name.map(|it| key_value(keys::PROCESS_NAME, Value::StringValue(it.to_owned())));
        let labels = self.labels.iter().map(|label| of_label(profile, label, ""));
        pid.into_iter().chain(name).chain(labels).collect()
    }
}

/// Returns the scope that labels describe; `None` without labels.
pub(super) fn scope(profile: &Profile, labels: &[Label]) -> Option<InstrumentationScope> {
    let mut scope = InstrumentationScope::default();
    for label in labels {
        let text = match label.value {
            LabelValue::Text(text) => profile.strings.get(text),
            LabelValue::Number(..) => None,
        };
        match (profile.strings.get(label.key), text) {
            (Some(keys::SCOPE_NAME), Some(text)) => text.clone_into(&mut scope.name),
            (Some(keys::SCOPE_VERSION), Some(text)) => text.clone_into(&mut scope.version),
            _ => scope.attributes.push(of_label(profile, label, keys::SCOPE)),
        }
    }
    (!labels.is_empty()).then_some(scope)
}

fn of_label(profile: &Profile, label: &Label, but: &str) -> KeyValue {
    let key = profile.strings.get(label.key).unwrap_or_default();
    let value = match label.value {
        LabelValue::Text(text) => {
            Value::StringValue(profile.strings.get(text).unwrap_or_default().to_owned())
        }
        LabelValue::Number(number, _) => Value::IntValue(number),
    };
    key_value(key.strip_prefix(but).unwrap_or(key), value)
}

/// Whether the name is one of the attributes that are written for every process.
fn is_of_process(profile: &Profile, key: StrIdx) -> bool {
    let key = profile.strings.get(key).unwrap_or_default();
    [keys::PID, keys::PROCESS_NAME].contains(&key)
}

fn level_of(profile: &Profile, key: StrIdx) -> Level {
    let key = profile.strings.get(key).unwrap_or_default();
    let is_long = |start: &str| key.len() > start.len() && key.starts_with(start);
    if is_long(keys::SCOPE) {
        Level::Scope
    } else if keys::OF_RESOURCES.iter().any(|start| is_long(start)) {
        Level::Resource
    } else {
        Level::Sample
    }
}

pub(super) fn key_value(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}
