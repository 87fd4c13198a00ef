//! Reads the text of a file into flat tables, whose members may come in any order.

use std::borrow::Cow;

use backsight_profile::{Location, Profile, ProfileFrame, StrIdx};
use serde::Deserialize;
use serde::de::{Error as _, MapAccess};

use super::units::Unit;
use crate::flaws::Flaws;
use crate::json_number::Number;
use crate::json_walk::{Each, Lists, Members, ObjectWalk, ObjectsWalk, Taken, object};
use crate::protobuf::{Error, MemoryBudget};

/// A file that was read. The frames are the locations of the profile, with the same indices.
#[derive(Debug)]
pub(super) struct SpeedscopeFile {
    pub(super) profile: Profile,
    pub(super) flaws: Flaws,
    pub(super) budget: MemoryBudget,
    pub(super) profiles: Vec<SpeedscopeProfile>,
    pub(super) name: Option<StrIdx>,
    pub(super) exporter: Option<StrIdx>,
    pub(super) active: Option<Number>,
    has_frames: bool,
    has_profiles: bool,
    current: SpeedscopeProfile,
}

/// A profile of a file.
#[derive(Debug, Default)]
pub(super) struct SpeedscopeProfile {
    pub(super) kind: Option<ProfileKind>,
    pub(super) name: Option<StrIdx>,
    pub(super) unit: Unit,
    pub(super) start: Number,
    pub(super) end: Option<Number>,
    /// The frames of all stacks, outermost first, and the end of each stack among them.
    pub(super) stacks: Vec<u32>,
    pub(super) ends: Vec<usize>,
    pub(super) weights: Vec<Number>,
    pub(super) events: Vec<FrameEvent>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProfileKind {
    Sampled,
    Evented,
}

/// A frame that is opened or closed.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameEvent {
    /// `None` if it is neither.
    pub(super) opens: Option<bool>,
    pub(super) frame: u32,
    pub(super) at: Number,
}

/// The index of a frame that no list has.
const NO_FRAME: u32 = u32::MAX;

#[derive(Deserialize)]
struct FrameText<'t> {
    #[serde(borrow)]
    name: Option<Cow<'t, str>>,
    #[serde(borrow)]
    file: Option<Cow<'t, str>>,
    line: Option<f64>,
    col: Option<f64>,
}

#[derive(Deserialize)]
struct EventText<'t> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'t, str>,
    frame: f64,
    at: Number,
}

/// Reads a text. What is read is counted to the budget.
pub(super) fn read(text: &[u8], budget: MemoryBudget) -> Result<SpeedscopeFile, Error> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut file = SpeedscopeFile {
        profile: Profile::default(),
        flaws: Flaws::default(),
        budget,
        profiles: Vec::new(),
        name: None,
        exporter: None,
        active: None,
        has_frames: false,
        has_profiles: false,
        current: SpeedscopeProfile::default(),
    };
    if let Err(error) = object(text, &mut file) {
        return Err(file.budget.exceeded().unwrap_or(error));
    }
    if !file.has_frames || !file.has_profiles {
        return Err(Error::Malformed {
            offset: 0,
            reason: "it has no `profiles`, or no `frames` in `shared`",
        });
    }
    Ok(file)
}

impl SpeedscopeFile {
    fn text(&mut self, text: Option<&str>) -> Result<Option<StrIdx>, Error> {
        let Some(text) = text else { return Ok(None) };
        self.budget.take(text.len())?;
        Ok(Some(self.profile.strings.intern(text)))
    }

    fn frame(&mut self, frame: &FrameText<'_>) -> Result<(), Error> {
        self.budget.take_rows::<(ProfileFrame, Location)>(1)?;
        if frame.name.is_none() {
            self.flaws.count("frames without a name");
        }
        let number = |number: Option<f64>, flaws: &mut Flaws| {
            let known = index(number.filter(|number| *number != 0.0)?);
            if known.is_none() {
                flaws.count("lines and columns that do not fit 32 bits");
            }
            known
        };
        let read = ProfileFrame {
            function: self.text(frame.name.as_deref())?,
            file: self.text(frame.file.as_deref().filter(|file| !file.is_empty()))?,
            line: number(frame.line, &mut self.flaws),
            column: number(frame.col, &mut self.flaws),
            ..ProfileFrame::default()
        };
        let frames = self.profile.add_frames([read]).unwrap_or_default();
        let location = Location {
            frames,
            ..Location::default()
        };
        if self.profile.add_location(location).is_none() {
            self.flaws.count("frames beyond the 2^32nd");
        }
        Ok(())
    }
}

/// The members of `shared`.
struct Shared<'f>(&'f mut SpeedscopeFile);

impl<'de> Members<'de> for Shared<'_> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<Taken, A::Error> {
        if name != "frames" {
            return Ok(Taken::No);
        }
        self.0.has_frames = true;
        map.next_value_seed(Each::new(|frame: FrameText<'de>| self.0.frame(&frame)))?;
        Ok(Taken::Yes)
    }
}

/// The members of a profile.
struct OfProfile<'f>(&'f mut SpeedscopeFile);

impl<'de> Members<'de> for OfProfile<'_> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<Taken, A::Error> {
        let file = &mut *self.0;
        let (current, budget) = (&mut file.current, &mut file.budget);
        match name {
            "type" => {
                current.kind = match &*map.next_value::<Cow<'de, str>>()? {
                    "sampled" => Some(ProfileKind::Sampled),
                    "evented" => Some(ProfileKind::Evented),
                    _ => None,
                };
            }
            "name" => {
                let text: Option<Cow<'de, str>> = map.next_value()?;
                let text = file.text(text.as_deref()).map_err(A::Error::custom)?;
                file.current.name = text;
            }
            "unit" => {
                let unit: Cow<'de, str> = map.next_value()?;
                current.unit = Unit::named(&unit).unwrap_or_else(|| {
                    file.flaws.count("profiles of an unknown unit");
                    Unit::None
                });
            }
            "startValue" => current.start = map.next_value()?,
            "endValue" => current.end = map.next_value()?,
            "samples" => map.next_value_seed(Lists(|element: Option<f64>| match element {
                Some(frame) => {
                    budget.take_rows::<u32>(1)?;
                    current.stacks.push(index(frame).unwrap_or(NO_FRAME));
                    Ok(())
                }
                None => {
                    budget.take_rows::<usize>(1)?;
                    current.ends.push(current.stacks.len());
                    Ok(())
                }
            }))?,
            "weights" => map.next_value_seed(Each::new(|weight: Number| {
                budget.take_rows::<Number>(1)?;
                current.weights.push(weight);
                Ok(())
            }))?,
            "events" => map.next_value_seed(Each::new(|event: EventText<'de>| {
                budget.take_rows::<FrameEvent>(1)?;
                current.events.push(FrameEvent {
                    opens: match &*event.kind {
                        "O" => Some(true),
                        "C" => Some(false),
                        _ => None,
                    },
                    frame: index(event.frame).unwrap_or(NO_FRAME),
                    at: event.at,
                });
                Ok(())
            }))?,
            _ => return Ok(Taken::No),
        }
        Ok(Taken::Yes)
    }
}

impl<'de> Members<'de> for SpeedscopeFile {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<Taken, A::Error> {
        match name {
            "shared" => map.next_value_seed(ObjectWalk(&mut Shared(self)))?,
            "profiles" => {
                self.has_profiles = true;
                let mut members = OfProfile(self);
                map.next_value_seed(ObjectsWalk(&mut members, |members: &mut OfProfile<'_>| {
                    let read = std::mem::take(&mut members.0.current);
                    members.0.budget.take_rows::<SpeedscopeProfile>(1)?;
                    members.0.profiles.push(read);
                    Ok(())
                }))?;
            }
            "name" | "exporter" => {
                let text: Option<Cow<'de, str>> = map.next_value()?;
                let text = self.text(text.as_deref()).map_err(A::Error::custom)?;
                match name {
                    "name" => self.name = text,
                    _ => self.exporter = text,
                }
            }
            "activeProfileIndex" => self.active = map.next_value()?,
            _ => return Ok(Taken::No),
        }
        Ok(Taken::Yes)
    }
}

/// Converts a number that is to be an index, a line or a column.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is whole and in the range"
)]
fn index(number: f64) -> Option<u32> {
    let fits = number.fract() == 0.0 && (0.0..f64::from(NO_FRAME)).contains(&number);
    fits.then_some(number as u32)
}
