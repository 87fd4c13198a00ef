//! Reads OTLP: first the dictionary, then what refers to it.
//!
//! The decompressed message is kept in memory, because the parts that refer to the dictionary may
//! precede it. The rows of the dictionary are decoded on first use.

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

/// Reads `ProfilesData` in protobuf or JSON, gzipped or not. Returns the profile, and counts of its
/// flaws.
///
/// In protobuf, several messages can follow each other, each after its length in four bytes,
/// highest first, as the Collector's file exporter writes them. In JSON, several objects can follow
/// each other.
///
/// The field numbers of samples are those of OTLP 1.10 and later, or those of 1.8 and 1.9; which of
/// them is determined for each message by what is valid. A malformed part is left out, or read as
/// far as possible: a sample keeps the locations that exist. Only damage that makes the whole file
/// unreadable is an error.
///
/// # Errors
///
/// [`Error::Io`] if reading the input fails; [`Error::Malformed`] if it is not such a file, is
/// damaged or cut off, or is older than OTLP 1.8; [`Error::TooLarge`] if a limit is exceeded.
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
            reason: "it contains no message",
        });
    }
    state.finish()
}

impl<'a> Reader<'a> {
    /// Reads the message: first all sample types, which samples refer to, then the samples.
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

    /// Reads resources, scopes, and profiles without their samples.
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

    /// Returns the values of a field of a message. A damaged message is counted, and read up to the
    /// damage.
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

    /// Returns the process, thread and labels that the attributes of a resource give for all its
    /// samples.
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

    /// Adds the name, version and attributes of a scope to the labels of its samples. The name and
    /// version of backsight's own scope are not added.
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
        // Without attributes, a scope is a name and a version.
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
