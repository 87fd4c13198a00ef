//! The kernel modules that a guest loads before the suites run, as its kernel's package has them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::cpio::Archive;

/// Modules that need no device and no other module: virtual network devices.
const MODULES: [&str; 2] = ["dummy", "veth"];

/// Returns an archive with the modules of a kernel's package, for behind the archive of a guest:
/// each where the kernel's tools look for it, unpacked, and `/modules` with their paths.
///
/// # Errors
/// If the package has none of them, or it cannot be unpacked.
pub(super) fn archive(kernel: &Path) -> Result<Vec<u8>, String> {
    let mut archive = Archive::default();
    let mut list = String::new();
    for path in modules_of(kernel)? {
        let inside = path.strip_prefix(kernel).unwrap_or(&path);
        let inside = inside.with_file_name(name_of(&path) + ".ko");
        // `/lib` is a link in a guest.
        let inside = format!("/usr/{}", inside.display()).replace("/usr/usr/", "/usr/");
        archive.file(&inside, &unpacked(&path)?);
        list.push_str(&format!("{} {inside}\n", name_of(&path)));
    }
    archive.file("/modules", list.as_bytes());
    Ok(archive.finish())
}

fn modules_of(kernel: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut folders = vec![kernel.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder);
        let entries = entries.map_err(|why| format!("{}: {why}", folder.display()))?;
        for entry in entries.filter_map(Result::ok) {
            let (path, kind) = (entry.path(), entry.file_type());
            match kind {
                Ok(kind) if kind.is_dir() => folders.push(path),
                Ok(kind) if kind.is_file() && MODULES.contains(&&*name_of(&path)) => {
                    found.push(path);
                }
                _ => {}
            }
        }
    }
    found.sort();
    match found.is_empty() {
        true => Err(format!(
            "{}: it has no module {}",
            kernel.display(),
            MODULES[0]
        )),
        false => Ok(found),
    }
}

/// Returns the name of the module in a file: `veth` of `veth.ko` and `veth.ko.xz`; of others, none.
fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.strip_suffix(".xz").unwrap_or(&name);
    stem.strip_suffix(".ko").unwrap_or_default().to_owned()
}

fn unpacked(path: &Path) -> Result<Vec<u8>, String> {
    if path.extension().is_none_or(|extension| extension != "xz") {
        return fs::read(path).map_err(|why| format!("{}: {why}", path.display()));
    }
    let done = Command::new("xz").arg("-dc").arg(path).output();
    let done = done.map_err(|why| format!("xz: {why}: apt-get install xz-utils"))?;
    match done.status.success() {
        true => Ok(done.stdout),
        false => Err(String::from_utf8_lossy(&done.stderr).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{archive, name_of};

    #[test]
    fn modules_are_put_where_they_are_looked_for() {
        let kernel = tempfile::tempdir().unwrap();
        let write = |path: &str| {
            let path = kernel.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "a module").unwrap();
        };
        assert!(archive(kernel.path()).is_err());
        write("lib/modules/6.1/kernel/drivers/net/dummy.ko");
        write("usr/lib/modules/6.1/kernel/drivers/net/veth.ko");
        write("lib/modules/6.1/kernel/drivers/net/other.ko");
        let archive = archive(kernel.path()).unwrap();
        let text = String::from_utf8_lossy(&archive);
        for line in [
            "dummy /usr/lib/modules/6.1/kernel/drivers/net/dummy.ko\n",
            "veth /usr/lib/modules/6.1/kernel/drivers/net/veth.ko\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
        assert!(!text.contains("other"), "{text}");
    }

    #[test]
    fn a_module_is_called_as_its_file() {
        let names =
            ["veth.ko", "veth.ko.xz", "veth.xz", "veth"].map(|path| name_of(Path::new(path)));
        assert_eq!(names, ["veth", "veth", "", ""]);
    }
}
