//! Spans and events of `tracing` for what takes long, if the feature is on.

/// Tells of an event with its fields, at the level of debugging.
macro_rules! event {
    ($text:literal $(, $field:ident = $value:expr)* $(,)?) => {{
        #[cfg(feature = "tracing")]
        tracing::debug!(target: "backsight_symbolize", $($field = $value,)* $text);
        #[cfg(not(feature = "tracing"))]
        { $(let _ = &$value;)* }
    }};
}

/// Runs work inside a span.
macro_rules! in_span {
    ($name:literal, $work:expr) => {{
        #[cfg(feature = "tracing")]
        let _span = tracing::debug_span!(target: "backsight_symbolize", $name).entered();
        $work
    }};
}

pub(crate) use {event, in_span};
