//! Filesystems through which the kernel shows itself: nothing in them is a file that
//! somebody stored.

use std::os::fd::AsFd;

use nix::sys::statfs::{
    BPF_FS_MAGIC, CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, DEBUGFS_MAGIC, DEVPTS_SUPER_MAGIC,
    FsType, NSFS_MAGIC, OPENPROM_SUPER_MAGIC, PROC_SUPER_MAGIC, RDTGROUP_SUPER_MAGIC,
    SECURITYFS_MAGIC, SELINUX_MAGIC, SMACK_MAGIC, SYSFS_MAGIC, TRACEFS_MAGIC, fstatfs,
};

use crate::error::Error;

/// By the numbers of `linux/magic.h`, and of those that stand in the source of their
/// filesystem alone.
const KERNELS: [FsType; 19] = [
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

/// The firmware's variables; the number does not fit where it has 32 bits and a sign.
#[cfg(target_pointer_width = "64")]
const EFIVARFS: FsType = FsType(0xde5e_81e4);

/// Refuses what the kernel makes up.
pub(crate) fn is_stored(file: impl AsFd) -> Result<(), Error> {
    let kind = fstatfs(file)?.filesystem_type();
    #[cfg(target_pointer_width = "64")]
    let is_firmware = kind == EFIVARFS;
    #[cfg(not(target_pointer_width = "64"))]
    let is_firmware = false;
    match is_firmware || KERNELS.contains(&kind) {
        true => Err(Error::Kernels),
        false => Ok(()),
    }
}
