//! The process whose addresses are normalized, and the contestants' results.

use std::collections::BTreeMap;
use std::ffi::CString;

use blazesym::Pid;

/// The file and file offset of an address, in the form shared by all contestants.
pub(crate) type Place = (Vec<u8>, u64);

/// The process to normalize.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Process {
    /// The benchmark itself.
    Myself,
    Child(u32),
}

impl Process {
    /// Returns the path of its maps file.
    pub(crate) fn maps(self) -> CString {
        let path = match self {
            Self::Myself => "/proc/self/maps".to_owned(),
            Self::Child(pid) => format!("/proc/{pid}/maps"),
        };
        CString::new(path).expect("no NUL in it")
    }

    pub(crate) fn pid(self) -> Pid {
        match self {
            Self::Myself => Pid::Slf,
            Self::Child(pid) => Pid::from(pid),
        }
    }

    /// Returns N: the number of its VMAs.
    pub(crate) fn vmas(self) -> usize {
        let path = self.maps().into_string().expect("ASCII");
        let maps = std::fs::read(path).expect("the process is there");
        maps.split(|byte| *byte == b'\n').count() - 1
    }
}

/// The correct results, from the floor or by construction.
#[derive(Debug, Default)]
pub(crate) struct Truth(BTreeMap<u64, Option<Place>>);

impl Truth {
    /// Adds results for addresses.
    pub(crate) fn learn(&mut self, addrs: &[u64], places: Vec<Option<Place>>) {
        assert_eq!(addrs.len(), places.len(), "an answer for each address");
        self.0.extend(addrs.iter().copied().zip(places));
    }

    /// Returns a message if a contestant has a different result.
    pub(crate) fn check(
        &self,
        name: &str,
        addrs: &[u64],
        places: &[Option<Place>],
    ) -> Result<(), String> {
        if addrs.len() != places.len() {
            let (said, asked) = (places.len(), addrs.len());
            return Err(format!("{name} gives {said} answers to {asked} addresses"));
        }
        for (addr, said) in addrs.iter().zip(places) {
            let Some(want) = self.0.get(addr) else {
                return Err(format!("nothing is known of {addr:#x}"));
            };
            if said != want {
                let [said, want] = [said, want].map(|place| match place {
                    Some((path, offset)) => format!("{}+{offset:#x}", path.escape_ascii()),
                    None => "nowhere".to_owned(),
                });
                return Err(format!("{name} says that {addr:#x} is {said}, not {want}"));
            }
        }
        Ok(())
    }
}
