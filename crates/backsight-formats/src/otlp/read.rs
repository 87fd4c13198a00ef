//! OTLP as a profile: the dictionary first, then what refers to it.
//!
//! The unpacked message is kept while it is read: what refers to the dictionary may
//! stand before it. Its rows are decoded when something first refers to them.

mod attribute;
mod attributes;
mod dictionary;
mod input;
mod layout;
mod reader;
mod rows;
mod samples;

use std::collections::HashSet;
use std::io::Read;

use backsight_profile::{Label, LabelValue, Profile};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use prost::Message as _;

use self::attribute::{ReadAttribute, ThreadIdentity};
use self::dictionary::FileDictionary;
use self::input::Messages;
use self::layout::Layout;
use self::reader::{ReadState, Reader};
use self::samples::ProfileHead;
use super::keys;
use crate::flaws::Flaws;
use crate::mapped_file::MappedFiles;
use crate::protobuf::{Error, Limits, MemoryBudget, MessageFields, Value};
use crate::threads::NamedThreads;

/// Reads `ProfilesData` as protobuf, several of them each behind its length (four bytes,
/// the highest first, as the Collector's file exporter writes them), or as JSON, one
/// object behind the other; packed by gzip or not. Returns what was wrong with parts of it.
///
/// Samples are numbered as OTLP 1.10 and later do, or as 1.8 and 1.9 did: each message
/// tells by what makes sense. A malformed part is left out, or taken as far as it goes: a
/// sample keeps the locations that are there. Only what makes the whole senseless is an
/// error.
///
/// # Errors
///
/// [`Error::Io`] from the input; [`Error::Malformed`] when it is no such file, was damaged
/// or cut off, or is older than OTLP 1.8; [`Error::TooLarge`] past the limits.
pub fn read(input: impl Read, limits: &Limits) -> Result<(Profile, Flaws), Error> {
    let mut budget = MemoryBudget::new(limits.memory);
    let mut flaws = Flaws::default();
    let messages = Messages::read(input, &mut budget, &mut flaws)?;
    let mut state = ReadState {
        profile: Profile::default(),
        budget,
        flaws,
        threads: NamedThreads::default(),
        files: MappedFiles::default(),
        default: None,
        comments: HashSet::new(),
        of_modules: HashSet::new(),
    };
    let mut count = 0_u64;
    for message in messages.iter() {
        let dictionary = match FileDictionary::read(message, &mut state.budget) {
            Ok(dictionary) => dictionary,
            Err(Error::Malformed { .. }) if count > 0 => {
                state.flaws.count("messages that cannot be read");
                continue;
            }
            Err(error) => return Err(error),
        };
        count = count.saturating_add(1);
        state = Reader { dictionary, state }.message(message, messages.layout)?;
    }
    if count == 0 {
        return Err(Error::Malformed {
            offset: 0,
            reason: "no message in it",
        });
    }
    Ok(state.finish())
}

impl<'a> Reader<'a> {
    /// Reads what the message has: types of samples first, as all must be known, then the
    /// samples.
    fn message(mut self, message: &'a [u8], layout: Option<Layout>) -> Result<ReadState, Error> {
        let heads = self.heads(message)?;
        let layout = match layout {
            Some(layout) => layout,
            None => self.layout(&heads)?,
        };
        for head in &heads {
            self.samples(head, layout)?;
        }
        Ok(self.state)
    }

    /// Walks over resources, scopes and profiles.
    fn heads(&mut self, message: &'a [u8]) -> Result<Vec<ProfileHead<'a>>, Error> {
        let mut heads = Vec::new();
        for resource in self.parts(message, 1, "resources that cannot be decoded")? {
            let (context, of_resource) = self.resource(resource)?;
            for scope in self.parts(resource, 2, "scopes that cannot be decoded")? {
                let mut labels = of_resource.clone();
                for part in self.parts(scope, 1, "scopes that cannot be decoded")? {
                    self.scope(part, &mut labels)?;
                }
                for profile in self.parts(scope, 2, "profiles that cannot be decoded")? {
                    let head = self.head(profile, context, labels.clone())?;
                    self.state.budget.take_rows::<ProfileHead<'_>>(2)?;
                    self.state.budget.take_rows::<Label>(labels.len())?;
                    heads.extend(head);
                }
            }
        }
        Ok(heads)
    }

    /// Returns the parts of a message that a field holds. A message that is broken is
    /// counted, and taken as far as it goes.
    fn parts(
        &mut self,
        message: &'a [u8],
        field: u32,
        why_not: &'static str,
    ) -> Result<Vec<&'a [u8]>, Error> {
        let mut parts = Vec::new();
        let mut fields = MessageFields::new(message);
        loop {
            match fields.next() {
                Ok(Some((number, Value::Bytes(part)))) if number == field => {
                    self.state
                        .budget
                        .check(size_of::<&[u8]>().saturating_mul(parts.len()))?;
                    parts.push(part);
                }
                Ok(Some(_)) => {}
                Ok(None) => return Ok(parts),
                Err(_) => {
                    self.state.flaws.count(why_not);
                    return Ok(parts);
                }
            }
        }
    }

    /// Returns what the attributes of a resource say of all samples in it: process and
    /// thread, and all else.
    fn resource(&mut self, message: &'a [u8]) -> Result<(ThreadIdentity, Vec<Label>), Error> {
        let mut context = ThreadIdentity::default();
        let mut labels = Vec::new();
        for resource in self.parts(message, 1, "resources that cannot be decoded")? {
            for row in self.parts(resource, 1, "resources that cannot be decoded")? {
                if let Some(attribute) = self.key_value(row)?
                    && !context.take(attribute.role)
                {
                    self.share(attribute.label, &mut labels);
                }
            }
        }
        Ok((context, labels))
    }

    /// Reads what a scope is, which samples have as labels; of ours, that says nothing.
    fn scope(&mut self, message: &'a [u8], labels: &mut Vec<Label>) -> Result<(), Error> {
        for row in self.parts(message, 3, "scopes that cannot be decoded")? {
            let Some(ReadAttribute { label, .. }) = self.key_value(row)? else {
                continue;
            };
            let key = self.state.profile.strings.get(label.key);
            match (key, label.value) {
                (Some(keys::DEFAULT_TYPE), LabelValue::Text(name)) => {
                    self.state.default.get_or_insert(name);
                }
                (key, _) => {
                    let key = format!("{}{}", keys::SCOPE, key.unwrap_or_default());
                    let key = self.state.profile.strings.intern(&key);
                    self.share(Label { key, ..label }, labels);
                }
            }
        }
        // Attributes apart, a name and a version.
        self.check_attribute(message)?;
        let scope = InstrumentationScope::decode(message).unwrap_or_default();
        if scope.name != keys::OUR_SCOPE {
            for (key, text) in [
                (keys::SCOPE_NAME, scope.name),
                (keys::SCOPE_VERSION, scope.version),
            ] {
                if !text.is_empty() {
                    let strings = &mut self.state.profile.strings;
                    let (key, text) = (strings.intern(key), strings.intern(&text));
                    let value = LabelValue::Text(text);
                    self.share(Label { key, value }, labels);
                }
            }
        }
        Ok(())
    }
}
