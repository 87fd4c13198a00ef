//! The module and build of a Breakpad symbol file.

use backsight_types::{BuildId, DebugId};

use super::error::{BreakpadClaim, BreakpadError};
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
    /// The complete build ID, if an `INFO CODE_ID` line has it. The lines of other systems
    /// than those with ELF files have something else, which counts only if it matches the
    /// debug ID.
    pub build_id: Option<BuildId>,
}

impl BreakpadModule {
    /// Reads the first lines, up to the first that is neither `MODULE` nor `INFO`. The
    /// first few KiB of the file are sufficient.
    ///
    /// # Errors
    /// [`BreakpadError::NotBreakpad`] and [`BreakpadError::BadModule`];
    /// [`BreakpadError::ContradictoryIds`] if an `INFO CODE_ID` line contradicts the debug ID,
    /// or another such line.
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
        let mut module = Self {
            os: lossy(os),
            cpu: lossy(cpu),
            debug_id,
            name: lossy(name),
            build_id: None,
        };
        let ids = lines.map_while(record::parse).map_while(|line| match line {
            Record::CodeId(id) => Some(Some(id)),
            Record::Info | Record::Empty => Some(None),
            _ => None,
        });
        for id in ids.flatten().filter_map(build_id) {
            module.take_build_id(id)?;
        }
        Ok(module)
    }

    /// Takes the ID of an `INFO CODE_ID` line.
    pub(super) fn take_build_id(&mut self, id: BuildId) -> Result<(), BreakpadError> {
        let contradicted = match self.build_id {
            Some(known) => (known != id).then_some(BreakpadClaim::BuildId(known)),
            None if self.debug_id.is_of(&id) => {
                self.build_id = Some(id);
                None
            }
            None => Some(BreakpadClaim::DebugId(self.debug_id)),
        };
        match contradicted {
            Some(claim) if self.has_elf() => {
                let other = BreakpadClaim::BuildId(id);
                Err(BreakpadError::ContradictoryIds(Box::new([claim, other])))
            }
            _ => Ok(()),
        }
    }

    /// Windows has a time and a size in its `CODE_ID`, and macOS files have a UUID.
    fn has_elf(&self) -> bool {
        let os = self.os.to_ascii_lowercase();
        !["windows", "mac", "ios"].contains(&&*os)
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

/// Returns the ID in an `INFO CODE_ID` line; `None` if it is no build ID.
pub(super) fn build_id(digits: &[u8]) -> Option<BuildId> {
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
    }

    #[test]
    fn contradictory_claims_are_refused() {
        let first = "MODULE Linux x86_64 00112233445566778899AABBCCDDEEFF0 a.so\n";
        let other = format!("AB{}", &ID[2..]);
        let twin = ID.replace("01234567", "76543210");
        for lines in [
            format!("INFO CODE_ID {other}\n"),
            format!("INFO CODE_ID {ID}\nINFO CODE_ID {twin}\n"),
            format!("INFO CODE_ID {ID}\nINFO CODE_ID {other}\n"),
        ] {
            let got = read(&format!("{first}{lines}FILE 0 a\n"));
            let contradicts = matches!(got, Err(BreakpadError::ContradictoryIds(..)));
            assert!(contradicts, "{lines}: {got:?}");
        }
        let twice = format!("{first}INFO CODE_ID {ID}\nINFO CODE_ID {ID}\n");
        assert_eq!(read(&twice).unwrap().build_id, ID.parse().ok());
        // There it is a time and a size.
        let windows = first.replace("Linux", "windows");
        let module = read(&format!("{windows}INFO CODE_ID 5A2B3C4D1000 a.dll\n"));
        assert_eq!(module.unwrap().build_id, None);
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
