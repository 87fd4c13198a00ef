//! The module and build of a Breakpad symbol file.

use backsight_types::{BuildId, DebugId};

use super::error::BreakpadError;
use super::fields::Fields;
use super::lines::Lines;
use super::record::{self, Record};

/// The first lines of a Breakpad symbol file, which identify the module and its build.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BreakpadModule {
    /// The operating system, such as `Linux`.
    pub os: String,
    /// The processor, such as `x86_64`.
    pub cpu: String,
    /// The debug ID.
    pub debug_id: DebugId,
    /// The file name of the module.
    pub name: String,
    /// The complete build ID, if an `INFO CODE_ID` line has one that matches the debug
    /// ID.
    pub build_id: Option<BuildId>,
}

impl BreakpadModule {
    /// Reads the first lines, up to the first that is neither `MODULE` nor `INFO`. The
    /// first few KiB of the file are sufficient.
    ///
    /// # Errors
    /// [`BreakpadError::NotBreakpad`] and [`BreakpadError::BadModule`].
    pub fn read(bytes: &[u8]) -> Result<Self, BreakpadError> {
        let mut lines = Lines::from(bytes, 0).map(|(_, line)| line);
        let first = lines.next().unwrap_or_default();
        let mut fields = Fields(first);
        if fields.word() != b"MODULE" {
            return Err(BreakpadError::NotBreakpad);
        }
        let mut text = || Some(fields.word()).filter(|word| !word.is_empty());
        let (os, cpu, id) = (text(), text(), text());
        let id: Option<DebugId> = id.and_then(|id| std::str::from_utf8(id).ok()?.parse().ok());
        let name = fields.rest();
        let (Some(os), Some(cpu), Some(debug_id), false) = (os, cpu, id, name.is_empty()) else {
            return Err(BreakpadError::BadModule);
        };
        let lossy = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
        let build_id = lines.map_while(record::parse).map_while(|line| match line {
            Record::CodeId(id) => Some(build_id(id)),
            Record::Info | Record::Empty => Some(None),
            _ => None,
        });
        let build_id = build_id.flatten().find(|id| debug_id.is_of(id));
        Ok(Self {
            os: lossy(os),
            cpu: lossy(cpu),
            debug_id,
            name: lossy(name),
            build_id,
        })
    }

    /// Returns whether it belongs to this build: by the complete build ID if the file has
    /// it, otherwise by the debug ID, which has the first 16 bytes.
    #[must_use]
    pub fn is_of(&self, id: &BuildId) -> bool {
        match self.build_id {
            Some(own) => own == *id,
            None => self.debug_id.is_of(id),
        }
    }
}

fn build_id(digits: &[u8]) -> Option<BuildId> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{BreakpadError, BreakpadModule};

    const ID: &str = "33221100554477668899aabbccddeeff01234567";

    fn read(text: &str) -> Result<BreakpadModule, BreakpadError> {
        BreakpadModule::read(text.as_bytes())
    }

    #[test]
    fn the_build_is_said_once_or_twice() {
        let first = "MODULE Linux x86_64 00112233445566778899AABBCCDDEEFF0 a b.so\r\n";
        let module = read(first).unwrap();
        assert_eq!((&*module.os, &*module.cpu), ("Linux", "x86_64"));
        assert_eq!((&*module.name, module.build_id), ("a b.so", None));
        assert!(module.is_of(&ID.parse().unwrap()));
        let code_id = ID.to_uppercase();
        let module = read(&format!("{first}INFO CODE_ID {code_id}\nFILE 0 a")).unwrap();
        assert_eq!(module.build_id, ID.parse().ok());
        // A different build ID with the same first 16 bytes.
        let other = ID.replace("01234567", "76543210").parse().unwrap();
        assert!(module.debug_id.is_of(&other) && !module.is_of(&other));
        // It contradicts the first line.
        let module = read(&format!("{first}INFO CODE_ID AB{code_id}\n")).unwrap();
        assert_eq!(module.build_id, None);
    }

    #[test]
    fn other_texts_are_refused() {
        assert_eq!(read("FILE 0 a"), Err(BreakpadError::NotBreakpad));
        assert_eq!(read(""), Err(BreakpadError::NotBreakpad));
        for line in ["MODULE", "MODULE Linux x86_64 12 a", "MODULE a b"] {
            assert_eq!(read(line), Err(BreakpadError::BadModule), "{line}");
        }
    }
}
