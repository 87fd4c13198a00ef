//! A function's name, ready to be handed out.

use std::sync::Arc;

use crate::Options;

/// The two forms of a function's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Name {
    /// For people: demangled if so wished and possible.
    pub(crate) function: Option<Arc<str>>,
    /// For the linker.
    pub(crate) linkage: Option<Arc<str>>,
}

impl Name {
    /// Returns the name whose linkage name has these bytes.
    pub(crate) fn of_linkage(raw: &[u8], options: &Options) -> Self {
        let linkage: Arc<str> = String::from_utf8_lossy(raw).into();
        let wanted = options.demangle;
        let demangled = wanted.then(|| crate::demangle(&linkage, options.limits.name_bytes));
        let function = demangled.flatten().map(Arc::from);
        Self {
            function: Some(function.unwrap_or_else(|| Arc::clone(&linkage))),
            linkage: Some(linkage),
        }
    }

    /// Returns the name of a function that the linker does not know by name.
    pub(crate) fn of_plain(raw: &[u8]) -> Self {
        Self {
            function: Some(String::from_utf8_lossy(raw).into()),
            linkage: None,
        }
    }
}
