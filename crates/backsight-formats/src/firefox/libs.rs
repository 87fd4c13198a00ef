//! The libraries that frames are in.

use std::collections::HashMap;
use std::fmt::Write as _;

use backsight_profile::Profile;
use backsight_types::{BuildId, Module, ModuleIdx};
use serde::Serialize;

use crate::place_name::{UNKNOWN, base_name};

/// The libraries, and the index of each module's library.
#[derive(Debug, Default)]
pub(super) struct Libs {
    pub(super) rows: Vec<Lib>,
    places: HashMap<ModuleIdx, usize>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Lib {
    pub(super) name: String,
    path: String,
    debug_name: String,
    debug_path: String,
    breakpad_id: String,
    code_id: Option<String>,
    arch: Option<String>,
}

impl Libs {
    /// Adds the modules that locations refer to. The format allows no unused library.
    pub(super) fn new(profile: &Profile) -> Self {
        let mut libs = Self::default();
        for index in profile
            .locations
            .iter()
            .filter_map(|location| location.module)
        {
            if libs.places.contains_key(&index) {
                continue;
            }
            if let Some(module) = profile.module(index) {
                libs.places.insert(index, libs.rows.len());
                libs.rows.push(Lib::new(module));
            }
        }
        libs
    }

    pub(super) fn place(&self, module: ModuleIdx) -> Option<usize> {
        self.places.get(&module).copied()
    }
}

impl Lib {
    fn new(module: &Module) -> Self {
        let name = match base_name(module) {
            name if name.is_empty() => UNKNOWN.to_owned(),
            name => name.into_owned(),
        };
        let path = module.path_lossy().into_owned();
        Self {
            debug_name: name.clone(),
            debug_path: path.clone(),
            name,
            path,
            breakpad_id: breakpad_id(module.build_id),
            code_id: module.build_id.map(|id| id.to_string()),
            arch: module.arch.map(|arch| arch.to_string()),
        }
    }
}

/// Returns Breakpad's debug ID of an ELF file: the first 16 bytes of the build ID as a
/// little-endian GUID, and the age 0. It is zero without a build ID.
fn breakpad_id(id: Option<BuildId>) -> String {
    let mut guid = [0_u8; 16];
    for (to, from) in guid.iter_mut().zip(id.iter().flat_map(|id| id.as_bytes())) {
        *to = *from;
    }
    // The fields of a GUID that are numbers: one of 32 bits, and two of 16 bits.
    for range in [0..4, 4..6, 6..8] {
        guid.get_mut(range).unwrap_or_default().reverse();
    }
    let mut text = String::with_capacity(33);
    for byte in guid {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02X}");
    }
    text.push('0');
    text
}

#[cfg(test)]
mod tests {
    use super::breakpad_id;

    #[test]
    fn a_build_id_is_spelled_as_breakpad_does() {
        let cases = [
            (None, "000000000000000000000000000000000"),
            (Some("77c7"), "0000C777000000000000000000000000"),
            (
                Some("0102030405060708090a0b0c0d0e0f1011121314"),
                "0403020106050807090A0B0C0D0E0F10",
            ),
        ];
        for (id, want) in cases {
            let got = breakpad_id(id.map(|id| id.parse().unwrap()));
            assert_eq!(got, format!("{want:0<33}"), "{id:?}");
        }
    }
}
