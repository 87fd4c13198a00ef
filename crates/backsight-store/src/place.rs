//! The layout: which path the file of a build has.

use std::path::{Path, PathBuf};

use backsight_types::{BuildId, DebugId};

use crate::stored::StoredKind;

/// The longest name of a module, in bytes: with `.sym`, it must fit the 255 of a file name.
const MAX_MODULE_NAME: usize = 240;

/// Where a file of one build and kind belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StorePlace {
    pub(crate) id: PlaceId,
    pub(crate) kind: StoredKind,
    /// The path in the store.
    pub(crate) path: PathBuf,
    /// The name of a Breakpad file's module.
    pub(crate) module: Option<String>,
    /// Whether the file that belongs here has DWARF.
    pub(crate) has_dwarf: bool,
}

/// Of which build a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlaceId {
    Build(BuildId),
    Debug(DebugId),
}

impl StorePlace {
    /// Returns the place of an executable or a debug file; `None` for a build ID of one byte.
    pub(crate) fn of_elf(id: &BuildId, kind: StoredKind) -> Option<Self> {
        let digits = id.to_string();
        let (first, rest) = digits
            .split_at_checked(2)
            .filter(|(_, rest)| !rest.is_empty())?;
        let name = match kind {
            StoredKind::DebugFile => format!("{rest}.debug"),
            _ => rest.to_owned(),
        };
        Some(Self {
            id: PlaceId::Build(*id),
            kind,
            path: Path::new(BUILD_IDS).join(first).join(name),
            module: None,
            has_dwarf: false,
        })
    }

    pub(crate) fn of_gsym(id: &BuildId) -> Self {
        Self {
            id: PlaceId::Build(*id),
            kind: StoredKind::Gsym,
            path: PathBuf::from(format!("{id}.gsym")),
            module: None,
            has_dwarf: false,
        }
    }

    /// Returns the place of a Breakpad file; `None` for a name that could lead elsewhere, which
    /// an untrusted file may have.
    pub(crate) fn of_breakpad(id: DebugId, module: &str) -> Option<Self> {
        let is_name = !module.starts_with('.')
            && (1..=MAX_MODULE_NAME).contains(&module.len())
            && !module.contains(|at: char| at == '/' || at.is_control());
        let file = format!("{}.sym", module.strip_suffix(".pdb").unwrap_or(module));
        is_name.then(|| Self {
            id: PlaceId::Debug(id),
            kind: StoredKind::Breakpad,
            path: Path::new(module).join(id.to_string()).join(file),
            module: Some(module.to_owned()),
            has_dwarf: false,
        })
    }

    /// Returns where the debug file of this executable is looked for.
    pub(crate) fn debug_path(&self) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(".debug");
        path.into()
    }

    /// Returns the name of the record of this file.
    pub(crate) fn record_name(&self) -> String {
        match self.id {
            PlaceId::Build(id) => format!("{id}.{}", self.kind),
            PlaceId::Debug(id) => format!("{id}.{}", self.kind),
        }
    }

    /// Returns the place that a record of this name is for.
    pub(crate) fn of_record(name: &str, module: Option<&str>) -> Option<Self> {
        let (id, kind) = name.split_once('.')?;
        let kind = StoredKind::ALL.into_iter().find(|it| it.name() == kind)?;
        match kind {
            StoredKind::Breakpad => Self::of_breakpad(id.parse().ok()?, module?),
            StoredKind::Gsym => Some(Self::of_gsym(&id.parse().ok()?)),
            StoredKind::Executable | StoredKind::DebugFile => Self::of_elf(&id.parse().ok()?, kind),
        }
        // Digits in capitals would be another name for the same build.
        .filter(|place| place.record_name() == name)
    }
}

/// The directory of files by build ID.
pub(crate) const BUILD_IDS: &str = ".build-id";

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::StorePlace;
    use crate::stored::StoredKind;

    #[test]
    fn paths_are_those_that_other_tools_read() {
        let id = "77c7aa4d".parse().unwrap();
        let of = |kind| StorePlace::of_elf(&id, kind).unwrap().path;
        assert_eq!(of(StoredKind::Executable), Path::new(".build-id/77/c7aa4d"));
        let debug = Path::new(".build-id/77/c7aa4d.debug");
        assert_eq!(of(StoredKind::DebugFile), debug);
        let executable = StorePlace::of_elf(&id, StoredKind::Executable).unwrap();
        assert_eq!(executable.debug_path(), debug);
        assert_eq!(
            StorePlace::of_elf(&"ab".parse().unwrap(), StoredKind::Executable),
            None
        );
        let debug_id = "00112233445566778899AABBCCDDEEFF0".parse().unwrap();
        let place = StorePlace::of_breakpad(debug_id, "liba.so").unwrap();
        let want = "liba.so/00112233445566778899AABBCCDDEEFF0/liba.so.sym";
        assert_eq!(place.path, Path::new(want));
        for name in [
            "",
            ".",
            "..",
            ".build-id",
            "a/b",
            "/a",
            "a\n",
            &"a".repeat(241),
        ] {
            assert_eq!(StorePlace::of_breakpad(debug_id, name), None, "{name:?}");
        }
    }

    #[test]
    fn a_record_s_name_tells_the_place() {
        let id = "77c7aa4d".parse().unwrap();
        let debug_id = "00112233445566778899AABBCCDDEEFF0".parse().unwrap();
        let places = [
            StorePlace::of_elf(&id, StoredKind::Executable).unwrap(),
            StorePlace::of_elf(&id, StoredKind::DebugFile).unwrap(),
            StorePlace::of_gsym(&id),
            StorePlace::of_breakpad(debug_id, "a").unwrap(),
        ];
        for place in places {
            let read = StorePlace::of_record(&place.record_name(), place.module.as_deref());
            assert_eq!(read, Some(place));
        }
        for name in [
            "",
            "lock",
            "77c7",
            "77C7AA4D.gsym",
            "../x.gsym",
            "77.debuginfo",
            "77c7.x",
        ] {
            assert_eq!(StorePlace::of_record(name, None), None, "{name}");
        }
    }
}
