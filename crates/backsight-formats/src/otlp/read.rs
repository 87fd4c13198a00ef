//! OTLP as a profile: the dictionary first, then what refers to it.
//!
//! The unpacked message is kept while it is read: what refers to the dictionary may
//! stand before it. Its rows are decoded when something first refers to them.

mod attributes;
mod dictionary;
mod samples;

use std::collections::HashSet;
use std::io::Read;

use backsight_types::profile::{Profile, ValueType};

use self::attributes::Context;
use self::dictionary::Dictionary;
use self::samples::Head;
use super::{Error, Limits, keys};
use crate::flaws::Flaws;
use crate::protobuf::{Budget, Fields, Value, unpack};
use crate::threads::Threads;

/// The most sample types: a sample without a time has a value of each.
const MOST_TYPES: usize = 1024;

/// Reads `ProfilesData`, packed by gzip or not, and returns what was wrong with parts of
/// it.
///
/// A malformed part is left out, or taken as far as it goes: a sample keeps the
/// locations that are there. Only what makes the whole senseless is an error.
///
/// # Errors
///
/// [`Error::Io`] from the input; [`Error::Malformed`] when it is no such file, or was
/// damaged or cut off; [`Error::TooLarge`] past the limits.
pub fn read(input: impl Read, limits: &Limits) -> Result<(Profile, Flaws), Error> {
    let mut budget = Budget::new(limits.memory);
    let message = unpack(input, &mut budget)?;
    let mut reader = Reader {
        dictionary: Dictionary::read(&message, &mut budget)?,
        profile: Profile::default(),
        budget,
        flaws: Flaws::default(),
        threads: Threads::default(),
    };
    let heads = reader.heads(&message)?;
    for head in &heads {
        reader.samples(head)?;
    }
    Ok((reader.profile, reader.flaws))
}

#[derive(Debug)]
struct Reader<'a> {
    dictionary: Dictionary<'a>,
    profile: Profile,
    budget: Budget,
    flaws: Flaws,
    threads: Threads,
}

impl<'a> Reader<'a> {
    /// Walks over resources, scopes and profiles, and leaves the samples for later: their
    /// types must be known first.
    fn heads(&mut self, message: &'a [u8]) -> Result<Vec<Head<'a>>, Error> {
        let mut heads = Vec::new();
        let mut default = None;
        let mut comments = HashSet::new();
        for resource in self.parts(message, 1, "resources that cannot be decoded")? {
            let context = self.resource(resource)?;
            for scope in self.parts(resource, 2, "scopes that cannot be decoded")? {
                for part in self.parts(scope, 1, "scopes that cannot be decoded")? {
                    let name = self.scope_default(part)?;
                    default = default.or(name);
                }
                for profile in self.parts(scope, 2, "profiles that cannot be decoded")? {
                    let head = self.head(profile, context, &mut comments)?;
                    self.budget.take_rows::<Head<'_>>(2)?;
                    heads.extend(head);
                }
            }
        }
        let types = self.profile.sample_types.iter();
        let at = default.and_then(|name| types.clone().position(|kind| kind.kind == name));
        self.profile.default_type = at.and_then(|at| u32::try_from(at).ok());
        if default.is_some() && at.is_none() {
            self.flaws
                .count("default sample types that are none of the types");
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
        let mut fields = Fields::new(message);
        loop {
            match fields.next() {
                Ok(Some((number, Value::Bytes(part)))) if number == field => {
                    self.budget
                        .check(size_of::<&[u8]>().saturating_mul(parts.len()))?;
                    parts.push(part);
                }
                Ok(Some(_)) => {}
                Ok(None) => return Ok(parts),
                Err(_) => {
                    self.flaws.count(why_not);
                    return Ok(parts);
                }
            }
        }
    }

    /// Returns what the attributes of a resource say of all samples in it.
    fn resource(&mut self, message: &'a [u8]) -> Result<Context, Error> {
        let mut context = Context::default();
        for resource in self.parts(message, 1, "resources that cannot be decoded")? {
            for row in self.parts(resource, 1, "resources that cannot be decoded")? {
                let Some(attribute) = self.key_value(row)? else {
                    continue;
                };
                if !context.take(attribute.role) {
                    self.flaws
                        .leave_out("attributes of resources that the model has no place for");
                }
            }
        }
        Ok(context)
    }

    fn scope_default(
        &mut self,
        scope: &'a [u8],
    ) -> Result<Option<backsight_types::profile::StrIdx>, Error> {
        for row in self.parts(scope, 3, "scopes that cannot be decoded")? {
            if let Some(attribute) = self.key_value(row)? {
                let key = self.profile.strings.get(attribute.label.key);
                if let (Some(keys::DEFAULT_TYPE), Some(name)) = (key, attribute.text()) {
                    return Ok(Some(name));
                }
            }
        }
        Ok(None)
    }

    /// Returns the place of a sample type, which is taken in if it is new.
    fn sample_type(&mut self, kind: ValueType) -> Option<u32> {
        let types = &mut self.profile.sample_types;
        let known = types.iter().position(|known| *known == kind);
        let at = known.unwrap_or_else(|| {
            types.push(kind);
            types.len().saturating_sub(1)
        });
        if at >= MOST_TYPES {
            types.truncate(MOST_TYPES);
            self.flaws.count("sample types past the 1024th");
            return None;
        }
        u32::try_from(at).ok()
    }
}
