//! Stores demangled names, so that lookups do not demangle.

use backsight_demangle::{demangle, demangle_ada};
use rayon::prelude::*;

use super::layout::{FunctionRecord, Le32};
use super::strings;
use super::table::{FlatIndex, TableRows};

impl FlatIndex {
    /// Stores the demangled names of all functions, in rayon's current thread pool. Names
    /// that would exceed `limit` bytes are not demangled.
    pub(crate) fn add_demangled(&mut self, limit: usize) {
        // Copied tables are not checked again.
        if !self.is_all_sound() {
            return;
        }
        let demangled = |function: &FunctionRecord| {
            let linkage = self.text(function.linkage.get())?;
            let linkage = std::str::from_utf8(linkage).ok()?;
            let demangle = if function.is_ada() {
                demangle_ada
            } else {
                demangle
            };
            demangle(linkage, limit).filter(|name| name != linkage)
        };
        let functions = self.functions().par_iter();
        let names: Vec<Option<String>> = functions.map(demangled).collect();
        let mut texts = self.strings().to_vec();
        if texts.is_empty() {
            // Offset 0 means that there is no text.
            texts.push(0);
        }
        let add = |name: Option<String>| {
            let place = name.map_or(Some(0), |name| {
                let at = u32::try_from(texts.len()).ok();
                strings::push(&mut texts, name.as_bytes());
                at
            });
            Le32::new(place.unwrap_or(0))
        };
        let rows = names.into_iter().map(add).collect();
        self.change(|_, parts| {
            parts.demangled = TableRows::Built(rows);
            parts.strings = TableRows::Built(texts);
        });
    }
}
