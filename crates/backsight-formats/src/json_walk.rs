//! Walks JSON whose members come in any order, and of which not all is kept: what is read goes to
//! the caller piece by piece, so that it can be counted before it is kept.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::json_offset::offset_of;
use crate::protobuf::Error;

/// What takes the members of an object.
pub(crate) trait Members<'de> {
    /// Reads the value of a member, or leaves it; then it is skipped.
    ///
    /// # Errors
    /// Those of the text.
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<Taken, A::Error>;
}

/// Whether the value of a member was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Yes,
    No,
}

/// An object whose members are taken one by one.
pub(crate) struct ObjectWalk<'m, M>(pub(crate) &'m mut M);

impl<'de, M: Members<'de>> DeserializeSeed<'de> for ObjectWalk<'_, M> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de, M: Members<'de>> Visitor<'de> for ObjectWalk<'_, M> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            if self.0.member(&name, &mut map)? == Taken::No {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// A list of which each element is handed to a function.
pub(crate) struct Each<T, F> {
    take: F,
    of: PhantomData<T>,
}

impl<T, F: FnMut(T) -> Result<(), Error>> Each<T, F> {
    pub(crate) fn new(take: F) -> Self {
        Self {
            take,
            of: PhantomData,
        }
    }
}

impl<'de, T: Deserialize<'de>, F: FnMut(T) -> Result<(), Error>> DeserializeSeed<'de>
    for Each<T, F>
{
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de, T: Deserialize<'de>, F: FnMut(T) -> Result<(), Error>> Visitor<'de> for Each<T, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(element) = list.next_element()? {
            (self.take)(element).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

/// A list of lists: each element of an inner list is handed to a function, and `None` at its end.
pub(crate) struct Lists<F>(pub(crate) F);

impl<'de, F: FnMut(Option<f64>) -> Result<(), Error>> DeserializeSeed<'de> for Lists<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(Option<f64>) -> Result<(), Error>> Visitor<'de> for Lists<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of lists")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        loop {
            let inner = Each::new(|element: f64| (self.0)(Some(element)));
            if list.next_element_seed(inner)?.is_none() {
                return Ok(());
            }
            (self.0)(None).map_err(A::Error::custom)?;
        }
    }
}

/// A list of objects, whose members are all taken by one taker, which is told where each ends.
pub(crate) struct ObjectsWalk<'m, M, E>(pub(crate) &'m mut M, pub(crate) E);

impl<'de, M: Members<'de>, E: FnMut(&mut M) -> Result<(), Error>> DeserializeSeed<'de>
    for ObjectsWalk<'_, M, E>
{
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de, M: Members<'de>, E: FnMut(&mut M) -> Result<(), Error>> Visitor<'de>
    for ObjectsWalk<'_, M, E>
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(ObjectWalk(self.0))?.is_some() {
            (self.1)(self.0).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

/// Reads the only object of a text.
///
/// # Errors
/// What is wrong with the text, and where.
pub(crate) fn object<'de>(text: &'de [u8], members: &mut impl Members<'de>) -> Result<(), Error> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let read = ObjectWalk(members).deserialize(&mut json);
    read.and_then(|()| json.end()).map_err(|error| {
        let reason = match error.classify() {
            serde_json::error::Category::Eof => "its JSON is cut off",
            serde_json::error::Category::Data => "its JSON has another shape",
            _ => "its JSON is broken",
        };
        Error::Malformed {
            offset: offset_of(text, error.line(), error.column()),
            reason,
        }
    })
}
