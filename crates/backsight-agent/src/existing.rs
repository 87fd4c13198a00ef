//! The processes that are there when sampling begins: their threads, names and mappings.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use backsight_types::trace::{Mmap, MovedText};
use backsight_types::{BuildId, Device, Perms};
use vma_query::{Cursor, Filter, NameBuf, OpenOptions, ProcMaps, Query, Vma, VmaName};

use crate::record::{self, About};

/// What was found, as records.
#[derive(Debug, Default)]
pub(crate) struct ExistingProcesses {
    /// The build IDs of files, by device and inode. Asking the kernel takes a microsecond, and
    /// most processes have the same libraries.
    build_ids: HashMap<(Device, u64), Option<BuildId>>,
    /// Processes whose mappings this user may not read, each with the error number.
    pub(crate) unreadable: Vec<(u32, i32)>,
}

/// The most build IDs that are remembered.
const MAX_BUILD_IDS: usize = 1 << 14;

impl ExistingProcesses {
    /// Appends the records of a process. Returns `false` if there is no such process.
    pub(crate) fn write(&mut self, pid: u32, time_ns: u64, out: &mut Vec<u8>) -> bool {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        let Some(name) = comm(&folder) else {
            return false;
        };
        let of = |tid| About { pid, tid, time_ns };
        record::existed(out, of(pid), parent_of(&folder).unwrap_or_default());
        record::comm(out, of(pid), &name);
        for tid in threads_of(pid).into_iter().filter(|tid| *tid != pid) {
            let folder = folder.join("task").join(tid.to_string());
            if let Some(name) = comm(&folder) {
                record::existed(out, of(tid), pid);
                record::comm(out, of(tid), &name);
            }
        }
        self.write_mappings(pid, time_ns, out);
        true
    }

    /// Appends the mappings of a process that may have code.
    pub(crate) fn write_mappings(&mut self, pid: u32, time_ns: u64, out: &mut Vec<u8>) {
        let tid = pid;
        match OpenOptions::new().directory(false).open(pid) {
            Ok(maps) => self.mappings(&maps, About { pid, tid, time_ns }, out),
            Err(vma_query::Error::Denied(error)) => {
                let errno = error.error().raw_os_error().unwrap_or_default();
                self.unreadable.push((pid, errno));
            }
            // A kernel thread, or it has just ended.
            Err(_) => {}
        }
    }

    fn mappings(&mut self, maps: &ProcMaps, about: About, out: &mut Vec<u8>) {
        let mut name = NameBuf::new();
        let mut all: Cursor<'_> = maps.cursor().only(Filter::EXECUTABLE);
        let mut at = backsight_types::AbsAddr(0);
        while let Ok(Some(vma)) = all.seek_named(at, &mut name) {
            if vma.end <= at {
                break;
            }
            at = vma.end;
            let build_id = self.build_id_of(maps, &vma, name.name());
            let mapping = Mmap {
                range: vma.range(),
                offset: vma.offset,
                perms: Perms::READ | Perms::EXECUTE,
                device: vma.device,
                inode: vma.inode,
                build_id,
                name: match name.as_bytes() {
                    b"" => b"//anon".to_vec(),
                    name => name.to_vec(),
                },
                moved: MovedText::Unknown,
            };
            record::mapping(out, about, &mapping);
        }
    }

    /// Returns the build ID of a mapped file; `None` also for a longer one than a record has room
    /// for.
    fn build_id_of(&mut self, maps: &ProcMaps, vma: &Vma, name: VmaName<'_>) -> Option<BuildId> {
        const MAX_IN_RECORD: usize = 20;
        if !vma.is_file_backed() || !matches!(name, VmaName::Path { deleted: false, .. }) {
            return None;
        }
        let key = (vma.device, vma.inode);
        if let Some(known) = self.build_ids.get(&key) {
            return *known;
        }
        let asked = maps.query_build_id(Query::covering(vma.start)).ok()?;
        let (_, found) = asked.filter(|(now, _)| now == vma)?;
        let found = found.filter(|id| id.as_bytes().len() <= MAX_IN_RECORD);
        if self.build_ids.len() >= MAX_BUILD_IDS {
            self.build_ids.clear();
        }
        self.build_ids.insert(key, found);
        found
    }
}

/// Returns the threads of a process; empty if there is no such process.
pub(crate) fn threads_of(pid: u32) -> Vec<u32> {
    numbers_in(&PathBuf::from(format!("/proc/{pid}/task")))
}

/// Returns the process of a thread; `None` if there is no such thread, or it cannot be asked.
pub(crate) fn process_of(tid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{tid}/status")).ok()?;
    let mut lines = status.lines();
    let process = lines.find_map(|line| line.strip_prefix("Tgid:"))?;
    process.trim().parse().ok()
}

/// Whether `/proc` is of another PID namespace than this process, so that the same numbers are
/// those of other processes. `false` without `/proc`.
pub(crate) fn is_foreign() -> bool {
    let is_there = fs::symlink_metadata("/proc/self").is_ok();
    let own = fs::read_link("/proc/self").ok();
    let own = own.and_then(|own| own.to_str()?.parse::<u32>().ok());
    // Of a namespace that this process is not in, it has no number.
    is_there && own != Some(std::process::id())
}

/// Returns all processes.
pub(crate) fn all_processes() -> Vec<u32> {
    numbers_in(Path::new("/proc"))
}

/// Returns the processes of a cgroup and of those below it.
pub(crate) fn members(cgroup: &Path) -> HashSet<u32> {
    let mut members = HashSet::new();
    let mut folders = vec![cgroup.to_owned()];
    while let Some(folder) = folders.pop() {
        let listed = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
        members.extend(listed.lines().filter_map(|line| line.parse::<u32>().ok()));
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        let below = entries.filter(|entry| entry.file_type().is_ok_and(|it| it.is_dir()));
        folders.extend(below.map(|entry| entry.path()));
    }
    members
}

/// Returns whether there is a process that has not ended.
pub(crate) fn is_alive(pid: u32) -> bool {
    let status = fs::read(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after = behind_name(&status).and_then(|rest| rest.first().copied());
    // A zombie has ended, but for its parent.
    after.is_some_and(|state| !matches!(state, b'Z' | b'X'))
}

/// Returns whether a thread neither runs nor has ended.
pub(crate) fn is_waiting(pid: u32, tid: u32) -> bool {
    let status = fs::read(format!("/proc/{pid}/task/{tid}/stat")).unwrap_or_default();
    let state = behind_name(&status).and_then(|rest| rest.first().copied());
    state.is_some_and(|state| !matches!(state, b'R' | b'Z' | b'X'))
}

fn numbers_in(folder: &Path) -> Vec<u32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    names.collect()
}

fn comm(folder: &Path) -> Option<Vec<u8>> {
    let mut name = fs::read(folder.join("comm")).ok()?;
    name.pop_if(|last| *last == b'\n');
    Some(name)
}

fn parent_of(folder: &Path) -> Option<u32> {
    let status = fs::read(folder.join("stat")).ok()?;
    let rest = behind_name(&status)?;
    let parent = rest.split(|byte| *byte == b' ').nth(1)?;
    std::str::from_utf8(parent).ok()?.parse().ok()
}

/// Returns the fields of proc_pid_stat(5) after the name, which may have spaces and parentheses
/// in it.
fn behind_name(status: &[u8]) -> Option<&[u8]> {
    let end = status.iter().rposition(|byte| *byte == b')')?;
    status.get(end.checked_add(2)?..)
}
