//! Names of locations without a function.

use std::borrow::Cow;

use backsight_profile::{Location, Profile};
use backsight_types::{AbsAddr, Lookup, Module};

/// Returns `libc.so.6+0x8e123`, `[unmapped]`, or the part of it that is known.
///
/// The module is the last component of its path. The offset is the file offset, or the virtual
/// offset if only that is known. Of a return address, it is that of the byte before, inside the
/// call: what is looked up, and all that pprof and OTLP have room for. Without a module, the name is
/// the reason in brackets, or the address. It is never empty.
///
/// The path is untrusted and not escaped; bytes that are not UTF-8 are replaced by �.
#[must_use]
pub fn place_name(profile: &Profile, location: &Location) -> String {
    let module = location.module.and_then(|index| profile.module(index));
    let file = location.file_offset.map(|offset| offset.0);
    let offset = file.or(location.virt_offset.map(|offset| offset.0));
    let inside = |at: u64| at.saturating_sub(back(location.lookup));
    let offset = offset.map(inside);
    let name = module.map(base_name).filter(|name| !name.trim().is_empty());
    match (name, offset, location.reason, location.address) {
        (Some(name), Some(offset), ..) => format!("{name}+{offset:#x}"),
        (Some(name), None, Some(reason), _) => format!("{name} [{reason}]"),
        (Some(name), None, None, _) => name.into_owned(),
        (None, _, Some(reason), _) => format!("[{reason}]"),
        (None, _, None, Some(address)) => AbsAddr(inside(address.0)).to_string(),
        (None, Some(offset), None, None) => format!("[unknown]+{offset:#x}"),
        (None, None, None, None) => UNKNOWN.to_owned(),
    }
}

/// Returns the number of bytes before its address at which a location is looked up.
pub(crate) fn back(lookup: Lookup) -> u64 {
    match lookup {
        Lookup::Exact => 0,
        Lookup::Return => 1,
    }
}

/// The name of a location of which nothing is known.
pub(crate) const UNKNOWN: &str = "[unknown]";

/// Returns the last component of a module's path.
pub(crate) fn base_name(module: &Module) -> Cow<'_, str> {
    let path = module.path.as_slice();
    let name = path.rsplit(|byte| *byte == b'/').next();
    String::from_utf8_lossy(name.unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use backsight_profile::{Location, Profile};
    use backsight_types::{AbsAddr, FileOffset, Lookup, Module, ModuleIdx, Reason, VirtOffset};

    use super::place_name;

    #[test]
    fn a_place_always_has_a_name() {
        let libc = Module::default().with_path(b"/usr/lib/libc.so.6");
        let folder = Module::default().with_path(b"/");
        let bytes = Module::default().with_path(b"/tmp/\xff");
        let profile = Profile {
            modules: vec![libc, folder, bytes],
            ..Profile::default()
        };
        let nothing = Location::default();
        let at = |module| Location {
            module: Some(ModuleIdx(module)),
            file_offset: Some(FileOffset(0x10)),
            virt_offset: Some(VirtOffset(0x20)),
            reason: Some(Reason::NoSymbols),
            ..nothing
        };
        let cases = [
            ("a byte of a file", at(0), "libc.so.6+0x10"),
            ("no UTF-8", at(2), "\u{fffd}+0x10"),
            ("no name", at(1), "[no-symbols]"),
            ("no such module", at(9), "[no-symbols]"),
            (
                "a virtual offset",
                Location {
                    file_offset: None,
                    ..at(0)
                },
                "libc.so.6+0x20",
            ),
            (
                "a module alone",
                Location {
                    file_offset: None,
                    virt_offset: None,
                    ..at(0)
                },
                "libc.so.6 [no-symbols]",
            ),
            (
                "an address with its reason",
                Location {
                    address: Some(AbsAddr(0x10)),
                    reason: Some(Reason::Unmapped),
                    ..nothing
                },
                "[unmapped]",
            ),
            (
                "a return address",
                Location {
                    lookup: Lookup::Return,
                    ..at(0)
                },
                "libc.so.6+0xf",
            ),
            (
                "a return address of nothing",
                Location {
                    address: Some(AbsAddr(0x10)),
                    lookup: Lookup::Return,
                    ..nothing
                },
                "0xf",
            ),
            (
                "an address",
                Location {
                    address: Some(AbsAddr(0x10)),
                    ..nothing
                },
                "0x10",
            ),
            ("nothing", nothing, "[unknown]"),
        ];
        for (name, location, want) in cases {
            assert_eq!(place_name(&profile, &location), want, "{name}");
        }
    }
}
