//! Writes an initramfs: a cpio archive in the "newc" format.
//!
//! Each member is a header of hexadecimal numbers, the name and the content; name and content
//! are padded to multiples of four. Source: the kernel's
//! `Documentation/driver-api/early-userspace/buffer-format.rst`.

use std::collections::BTreeSet;

const FOLDER: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const LINK: u32 = 0o120_777;

/// An archive under construction. Directories are added automatically.
#[derive(Debug, Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    members: BTreeSet<String>,
}

impl Archive {
    /// Adds a file that everyone may read and execute. Paths are absolute.
    pub(super) fn file(&mut self, path: &str, content: &[u8]) {
        self.member(path, PROGRAM, content);
    }

    /// Adds a symbolic link.
    pub(super) fn link(&mut self, path: &str, target: &str) {
        self.member(path, LINK, target.as_bytes());
    }

    /// Adds an empty directory.
    pub(super) fn folder(&mut self, path: &str) {
        self.member(path, FOLDER, b"");
    }

    /// Returns the paths of all members so far, without the leading slash.
    #[cfg(test)]
    pub(super) fn members(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(String::as_str)
    }

    /// Returns the whole archive.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.put("TRAILER!!!", 0, b"");
        self.bytes
    }

    /// Adds a member, and its parent directories first, unless they exist.
    fn member(&mut self, path: &str, mode: u32, content: &[u8]) {
        let path = path.trim_start_matches('/');
        let above = path.match_indices('/').map(|(at, _)| (&path[..at], FOLDER));
        let above: Vec<(&str, u32)> = above.collect();
        for (folder, mode) in above {
            if self.members.insert(folder.to_owned()) {
                self.put(folder, mode, b"");
            }
        }
        if self.members.insert(path.to_owned()) {
            self.put(path, mode, content);
        }
    }

    fn put(&mut self, name: &str, mode: u32, content: &[u8]) {
        let number = |length: usize| u32::try_from(length).expect("a file below 4 GiB");
        let inode = number(self.members.len());
        let (size, name_size) = (number(content.len()), number(name.len() + 1));
        let owner_and_time = [0, 0, 1, 0];
        let devices = [0, 0, 0, 0];
        self.bytes.extend_from_slice(b"070701");
        let fields = [&[inode, mode][..], &owner_and_time, &[size], &devices];
        for field in fields.concat().into_iter().chain([name_size, 0]) {
            self.bytes.extend(format!("{field:08x}").bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::Archive;

    #[test]
    fn a_member_is_header_name_and_bytes_in_fours() {
        let mut archive = Archive::default();
        archive.file("/a", b"12345");
        let header = "07070100000001000081ed000000000000000000000001000000000000000500000000\
                      0000000000000000000000000000000200000000";
        let want = [header.as_bytes(), b"a\0", b"12345\0\0\0"].concat();
        assert_eq!(archive.bytes, want);
        assert!(archive.finish().ends_with(b"TRAILER!!!\0\0\0\0"));
    }

    #[test]
    fn folders_come_before_what_is_in_them_and_once() {
        let mut archive = Archive::default();
        archive.file("/usr/bin/cat", b"");
        archive.link("/usr/bin/true", "cat");
        archive.folder("/usr");
        let members: Vec<&str> = archive.members().collect();
        assert_eq!(members, ["usr", "usr/bin", "usr/bin/cat", "usr/bin/true"]);
        let text = String::from_utf8_lossy(&archive.bytes).into_owned();
        let at = |name| text.match_indices(name).map(|(at, _)| at).next();
        assert!(at("usr\0") < at("usr/bin\0") && at("usr/bin\0") < at("usr/bin/cat\0"));
        assert_eq!(text.matches("usr\0").count(), 1);
    }

    #[test]
    fn cpio_reads_it() {
        if testkit::tools::tool("cpio").is_none() {
            // The guests of `cargo xtask kernels` read it, too.
            return;
        }
        let mut archive = Archive::default();
        archive.file("/a/b", b"x");
        let file = std::env::temp_dir().join(format!("cpio-test-{}", std::process::id()));
        std::fs::write(&file, archive.finish()).unwrap();
        let listed = std::process::Command::new("cpio")
            .args(["-t", "--quiet", "-F"])
            .arg(&file)
            .output()
            .unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(String::from_utf8_lossy(&listed.stdout), "a\na/b\n");
    }
}
