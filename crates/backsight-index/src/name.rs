//! A function's name, ready to be handed out.

use std::borrow::Cow;
use std::sync::Arc;

use backsight_demangle::{demangle, demangle_ada};

/// How names are spelled for people.
#[derive(Clone, Copy, Debug)]
pub struct Spelling {
    /// Whether they are demangled.
    pub demangle: bool,
    /// Bytes of a demangled name at most.
    pub limit: usize,
}

/// The two forms of a function's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name {
    /// For people: demangled if so wished and possible.
    pub function: Option<Arc<str>>,
    /// For the linker.
    pub linkage: Option<Arc<str>>,
    /// The line where the source declares the function, from 1; 0 when unknown.
    pub line: u32,
    /// Bytes of `function` that are namespaces and classes put before a plain name.
    scopes: u32,
}

impl Name {
    /// Returns the name whose linkage name has these bytes.
    pub fn of_linkage(raw: &[u8], spelling: Spelling) -> Self {
        Self::decoded(raw, spelling, demangle)
    }

    /// Returns the name that GNAT encoded in these bytes.
    pub fn of_ada(raw: &[u8], spelling: Spelling) -> Self {
        Self::decoded(raw, spelling, demangle_ada)
    }

    fn decoded(
        raw: &[u8],
        spelling: Spelling,
        decode: impl FnOnce(&str, usize) -> Option<String>,
    ) -> Self {
        let linkage: Arc<str> = lossy(raw).into();
        let wanted = spelling.demangle;
        let decoded = wanted.then(|| decode(&linkage, spelling.limit));
        let function = decoded.flatten().map(Arc::from);
        Self {
            function: Some(function.unwrap_or_else(|| Arc::clone(&linkage))),
            linkage: Some(linkage),
            line: 0,
            scopes: 0,
        }
    }

    /// Returns the name of which the demangled form is known.
    pub fn of_both(raw: &[u8], demangled: &[u8]) -> Self {
        let text = |bytes| lossy(bytes).into();
        Self {
            function: Some(text(demangled)),
            linkage: Some(text(raw)),
            line: 0,
            scopes: 0,
        }
    }

    /// Returns the bytes that its texts take.
    pub fn bytes(&self) -> usize {
        let text = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| text_bytes(text));
        let shared = match (&self.function, &self.linkage) {
            (Some(function), Some(linkage)) => Arc::ptr_eq(function, linkage),
            _ => false,
        };
        let linkage = if shared { 0 } else { text(&self.linkage) };
        text(&self.function).saturating_add(linkage)
    }

    /// Returns the name of a function that the linker does not know by name, without its
    /// namespaces and classes.
    pub fn bare(&self) -> Option<&str> {
        let scopes = usize::try_from(self.scopes).ok()?;
        self.function.as_deref()?.get(scopes..)
    }

    /// Returns the same name, declared on this line.
    pub fn at_line(self, line: u32) -> Self {
        Self { line, ..self }
    }

    /// Returns the name of a function that the linker does not know by name. So many of
    /// its bytes are the namespaces and classes that it stands in.
    pub fn of_plain(raw: &[u8], scopes: u32) -> Self {
        let (scopes, name) = usize::try_from(scopes)
            .ok()
            .and_then(|scopes| raw.split_at_checked(scopes))
            .unwrap_or((&[], raw));
        let scopes = lossy(scopes);
        Self {
            scopes: u32::try_from(scopes.len()).unwrap_or(0),
            function: Some([scopes, lossy(name)].concat().into()),
            linkage: None,
            line: 0,
        }
    }
}

/// Returns these bytes as text, with `U+FFFD` for what is not UTF-8.
///
/// `String::from_utf8_lossy` looks at each byte. Nearly all texts are valid, which `from_utf8`
/// checks many bytes at a time.
#[inline]
pub fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

/// Returns the bytes that a shared text takes: its own, two counts, and what allocators
/// add, 16 as a rule.
#[inline]
pub fn text_bytes(text: &str) -> usize {
    text.len().saturating_add(32)
}
