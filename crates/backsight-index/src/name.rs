//! The names of a function, in the form in which answers return them.

use std::borrow::Cow;
use std::sync::Arc;

use backsight_demangle::{demangle, demangle_ada};

/// How names are formatted for display.
#[derive(Clone, Copy, Debug)]
pub struct Spelling {
    /// Whether they are demangled.
    pub demangle: bool,
    /// The maximum length of a demangled name in bytes.
    pub limit: usize,
}

/// The two forms of a function's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name {
    /// The name for display: demangled if requested and possible.
    pub function: Option<Arc<str>>,
    /// The name in the symbol table.
    pub linkage: Option<Arc<str>>,
    /// The line of the function's declaration, counted from 1; 0 if unknown.
    pub line: u32,
    /// The length in bytes of the namespaces and classes at the start of `function`, if
    /// it is a plain name.
    scopes: u32,
}

impl Name {
    /// Returns the name whose linkage name has these bytes.
    pub fn of_linkage(raw: &[u8], spelling: Spelling) -> Self {
        Self::decoded(raw, spelling, demangle)
    }

    /// Returns the name of these bytes in the encoding of GNAT (Ada).
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

    /// Returns the name with this linkage name and this demangled form.
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

    /// Returns the plain name without its namespaces and classes.
    pub fn bare(&self) -> Option<&str> {
        let scopes = usize::try_from(self.scopes).ok()?;
        self.function.as_deref()?.get(scopes..)
    }

    /// Sets the line of the declaration.
    pub fn at_line(self, line: u32) -> Self {
        Self { line, ..self }
    }

    /// Returns the name of a function without a linkage name. Its first `scopes` bytes
    /// are its namespaces and classes.
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

/// Returns these bytes as text, with `U+FFFD` for invalid UTF-8.
///
/// `String::from_utf8_lossy` checks byte by byte. Nearly all texts are valid, and
/// `from_utf8` checks many bytes at a time.
#[inline]
pub fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

/// Returns the memory of a shared text in bytes: the text, two reference counts, and the
/// overhead of the allocator, which is usually 16.
#[inline]
pub fn text_bytes(text: &str) -> usize {
    text.len().saturating_add(32)
}
