//! Which file of the kernel a module is.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::file_names::module_name;

/// Which file of the kernel a module is, by the path that it has in a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KernelFile<'m> {
    /// The image: `[kernel.kallsyms]`, or the path of a `vmlinux`.
    Image(Option<&'m Path>),
    /// A kernel module: `[veth]`, or the path of its `.ko` file.
    Module(Box<str>, Option<&'m Path>),
    /// Code without a file: `[bpf]`, `[__builtin__ftrace]`.
    None,
}

impl<'m> KernelFile<'m> {
    pub(super) fn of(path: &'m [u8]) -> Self {
        if let Some(name) = path
            .strip_prefix(b"[")
            .and_then(|rest| rest.strip_suffix(b"]"))
        {
            return match str::from_utf8(name) {
                Ok("bpf") | Err(_) => Self::None,
                Ok(name) if name.starts_with("__builtin__") => Self::None,
                Ok(name) if name.starts_with("kernel.") => Self::Image(None),
                // Of a virtual machine, or what the kernel maps into processes.
                Ok(name) if name.contains(['.', '/']) => Self::None,
                Ok(name) => Self::Module(name.into(), None),
            };
        }
        let path = Path::new(OsStr::from_bytes(path));
        let named = Some(path).filter(|path| path.is_absolute());
        match module_name(path) {
            Some(name) => Self::Module(name, named),
            // `bpf_prog_TAG_NAME`, as recordings call the code of one.
            None if named.is_none() && !path.starts_with("vmlinux") => Self::None,
            None => Self::Image(named),
        }
    }
}

/// Returns the name of the kernel module that has this path in a capture; `None` for the image and
/// code without a file.
pub(crate) fn kernel_module_of(path: &[u8]) -> Option<Box<str>> {
    match KernelFile::of(path) {
        KernelFile::Module(name, _) => Some(name),
        _ => None,
    }
}

/// Whether a capture's path is that of the kernel's image.
pub(crate) fn is_kernel_image(path: &[u8]) -> bool {
    matches!(KernelFile::of(path), KernelFile::Image(_))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::KernelFile;

    #[test]
    fn paths_tell_the_image_from_modules() {
        let (ko, vmlinux) = ("/lib/modules/6/a-b.ko.xz", "/boot/vmlinux-6");
        let module = |name: &str, path| KernelFile::Module(name.into(), path);
        let cases = [
            ("[kernel.kallsyms]", KernelFile::Image(None)),
            (vmlinux, KernelFile::Image(Some(Path::new(vmlinux)))),
            ("vmlinux", KernelFile::Image(None)),
            ("[veth]", module("veth", None)),
            (ko, module("a_b", Some(Path::new(ko)))),
            ("[bpf]", KernelFile::None),
            ("bpf_prog_6deef7357e7b4530_count", KernelFile::None),
            ("[__builtin__kprobes]", KernelFile::None),
            ("[guest.kernel.kallsyms]", KernelFile::None),
            ("[../../etc]", KernelFile::None),
        ];
        for (path, want) in cases {
            assert_eq!(KernelFile::of(path.as_bytes()), want, "{path}");
        }
    }
}
