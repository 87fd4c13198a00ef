//! The result of a check.

use anstyle::Style;

use crate::palette::Palette;

/// How well something works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Fully.
    Ok,
    /// In part, or by another way.
    Limited,
    /// Not at all.
    Missing,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) state: State,
    pub(super) found: String,
    pub(super) advice: Option<String>,
}

impl State {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Limited => "limited",
            Self::Missing => "missing",
        }
    }

    pub(super) fn colour(self, palette: &Palette) -> Style {
        match self {
            Self::Ok => palette.good,
            Self::Limited => palette.limited,
            Self::Missing => palette.missing,
        }
    }
}

impl Finding {
    pub(super) fn ok(found: impl Into<String>) -> Self {
        Self {
            state: State::Ok,
            found: found.into(),
            advice: None,
        }
    }

    pub(super) fn limited(found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            state: State::Limited,
            found: found.into(),
            advice: Some(advice.into()),
        }
    }

    pub(super) fn missing(found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            state: State::Missing,
            ..Self::limited(found, advice)
        }
    }
}
