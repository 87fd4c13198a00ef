//! Filesystems that expose kernel state: their files are not stored data.

use std::io;
use std::os::fd::AsFd;

use nix::sys::statfs::{
    BPF_FS_MAGIC, CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, DEBUGFS_MAGIC, DEVPTS_SUPER_MAGIC,
    FsType, NSFS_MAGIC, OPENPROM_SUPER_MAGIC, PROC_SUPER_MAGIC, RDTGROUP_SUPER_MAGIC,
    SECURITYFS_MAGIC, SELINUX_MAGIC, SMACK_MAGIC, SYSFS_MAGIC, TRACEFS_MAGIC, fstatfs,
};

use crate::error::Error;

/// Numbers from `linux/magic.h`; the last ones are defined only in the source of their
/// filesystem.
const KERNEL_FILESYSTEMS: [FsType; 19] = [
    PROC_SUPER_MAGIC,
    SYSFS_MAGIC,
    DEVPTS_SUPER_MAGIC,
    DEBUGFS_MAGIC,
    TRACEFS_MAGIC,
    SECURITYFS_MAGIC,
    SELINUX_MAGIC,
    SMACK_MAGIC,
    BPF_FS_MAGIC,
    CGROUP_SUPER_MAGIC,
    CGROUP2_SUPER_MAGIC,
    RDTGROUP_SUPER_MAGIC,
    NSFS_MAGIC,
    OPENPROM_SUPER_MAGIC,
    // binfmt_misc, configfs, fusectl, mqueue, pstore.
    FsType(0x4249_4e4d),
    FsType(0x6265_6570),
    FsType(0x6573_5543),
    FsType(0x1980_0202),
    FsType(0x6165_676c),
];

/// The filesystem of firmware variables. Its number does not fit a signed 32-bit integer.
#[cfg(target_pointer_width = "64")]
const EFIVARFS: FsType = FsType(0xde5e_81e4);

/// Returns an error if the file is on a filesystem that exposes kernel state.
pub(crate) fn is_stored(file: impl AsFd) -> Result<(), Error> {
    let kind = fstatfs(file).map_err(io::Error::from)?.filesystem_type();
    #[cfg(target_pointer_width = "64")]
    let is_firmware = kind == EFIVARFS;
    #[cfg(not(target_pointer_width = "64"))]
    let is_firmware = false;
    match is_firmware || KERNEL_FILESYSTEMS.contains(&kind) {
        true => Err(Error::Kernels),
        false => Ok(()),
    }
}
