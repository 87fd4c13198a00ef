//! Names that not every kernel gives, read from a text as other kernels print it.

use testkit::child::Child;
use vma_query::{AbsAddr, NameBuf, ProcMaps, Query, Snapshot, VmaName};

/// Lines in the manner of several kernels: `[anon:…]` as Android's runtime names
/// its heap, `[stack:TID]` from before Linux 4.5, `[anon_shmem:…]` since 6.2, a
/// second `vvar` since 6.13, `[vectors]` of 32-bit ARM.
const TEXT: &[u8] = br"12c00000-12c40000 rw-p 00000000 00:00 0                                  [anon:dalvik-main space (region space)]
12c40000-12c80000 rw-p 00000000 00:00 0                                  [anon:]
12c80000-12cc0000 rw-s 00000000 00:01 1024                               [anon_shmem:queue of frames]
12cc0000-12d00000 rw-s 00000000 00:01 2                                  /dev/zero (deleted)
12d00000-12d40000 rw-s 00000000 00:01 32769                              /SYSV0000002a (deleted)
12d40000-12d80000 r-xp 00000000 00:01 77                                 /memfd:jit-cache (deleted)
12d80000-12dc0000 rw-s 00000000 00:0f 15                                 anon_inode:[perf_event]
12dc0000-12e00000 rw-s 00000000 00:0e 1032                               anon_inode:i915.gem
12e00000-12e40000 rw-s 00000000 00:08 31                                 socket:[31]
30000000-30020000 rw-p 00000000 00:00 0                                  [heap]
40000000-40001000 rw-p 00000000 103:05 1448 /a/path\012of two lines (deleted)
50000000-50021000 rw-p 00000000 00:00 0                                  [stack:1001]
60000000-60001000 --xp 00000000 00:00 0                                  [uprobes]
7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0                          [stack]
7ffd00100000-7ffd00104000 r--p 00000000 00:00 0                          [vvar]
7ffd00104000-7ffd00106000 r--p 00000000 00:00 0                          [vvar_vclock]
7ffd00106000-7ffd00108000 r-xp 00000000 00:00 0                          [vdso]
7ffd00108000-7ffd00109000 r-xp 00000000 00:00 0                          [vectors]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
";

#[test]
fn names_of_many_kernels_are_told_apart() {
    let deleted = |path| VmaName::Path {
        path,
        deleted: true,
    };
    let want = [
        VmaName::Anon(b"dalvik-main space (region space)"),
        VmaName::Anon(b""),
        VmaName::AnonShmem(b"queue of frames"),
        deleted(b"/dev/zero"),
        deleted(b"/SYSV0000002a"),
        VmaName::Memfd { name: b"jit-cache" },
        VmaName::Other(b"anon_inode:[perf_event]"),
        VmaName::Other(b"anon_inode:i915.gem"),
        VmaName::Other(b"socket:[31]"),
        VmaName::Heap,
        deleted(b"/a/path\nof two lines"),
        VmaName::Other(b"[stack:1001]"),
        VmaName::Uprobes,
        VmaName::Stack,
        VmaName::Vvar,
        VmaName::Vvar,
        VmaName::Vdso,
        VmaName::Other(b"[vectors]"),
        VmaName::Vsyscall,
    ];
    let saved = Snapshot::parse(TEXT).unwrap();
    assert_eq!(saved.len(), want.len());
    let mut cursor = saved.cursor();
    let mut name = NameBuf::new();
    for (found, want) in saved.iter().zip(want) {
        assert_eq!(found.name(), want);
        cursor.seek_named(found.vma.start, &mut name).unwrap();
        assert_eq!(name.name(), want);
    }
    let code = saved.iter().filter(|found| found.vma.is_file_backed());
    assert_eq!(code.count(), 8, "a device without a path is a file too");
}

#[test]
fn memory_named_by_prctl_reads_back() {
    let mut child = Child::spawn();
    let range = child.anon("rw-p", 0x1000);
    // Many kernels are built without such names; the saved text stands for them.
    let want = match child.name_anon(&range, "a name") {
        Some(()) => VmaName::Anon(b"a name"),
        None => VmaName::None,
    };
    let mut name = NameBuf::new();
    let maps = ProcMaps::open(child.pid()).unwrap();
    let query = Query::covering(AbsAddr(range.start));
    maps.query_named(query, &mut name).unwrap().unwrap();
    assert_eq!(name.name(), want);
}
