//! Opens the files of processes that are being recorded, while these live.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use backsight_elf::Headers;
use backsight_normalize::{ModuleImage, NormalizedModule, Options, Session};
use backsight_types::trace::{Mmap, MovedText, ProcessChange, ProcessRecord};
use backsight_types::{AbsAddr, AbsRange, BuildId, ModuleKind, Outcome, Reason};
use nix::sys::stat::{major, minor};

use super::made_memory::{called_as_perf_does, is_in_memfd, is_in_unlinked_file, is_made};
use super::text_answer::{OpenQuestions, TextAnswer, is_written};
use crate::find::ModuleFiles;
use crate::held_files::RecordedAs;
use crate::jit::anonymous_name::is_unlinked_memory;
use crate::live::root_of;

/// The processes whose mappings were met last.
#[derive(Debug, Default)]
pub(super) struct LiveFiles {
    /// Mappings of a process come one after the other.
    last: Option<(u32, Session)>,
    /// Memory that was not written when its process was asked.
    open: OpenQuestions,
}

impl LiveFiles {
    /// Takes a mapping of a process, which may have ended, and the number of its event: it is recent. Its file is opened and
    /// kept, if it is not yet. A vDSO gets its build ID.
    pub(super) fn mapped(&mut self, pid: u32, order: u64, mapping: &mut Mmap, files: &ModuleFiles) {
        if !mapping.perms.is_executable() {
            return;
        }
        if mapping.name == VDSO {
            if mapping.build_id.is_none() {
                mapping.build_id = self.vdso(pid, mapping, files);
            }
            return;
        }
        if !files.may_open() {
            return;
        }
        if is_made(pid, mapping) {
            match self.text_at(pid, mapping, files) {
                TextAnswer::Moved(text) => {
                    *mapping = text;
                    return;
                }
                TextAnswer::Other => mapping.moved = MovedText::Denied,
                TextAnswer::NotWritten => self.open.add(pid, order, mapping),
                TextAnswer::Unknown => {}
            }
            files.held_maps().look(pid);
            return;
        }
        if is_in_memfd(pid, mapping) || is_in_unlinked_file(pid, mapping) {
            files.held_maps().look(pid);
        }
        if mapping.as_path().is_none() {
            return;
        }
        let mut recorded = RecordedAs::mapped(mapping);
        if files.held().has(&recorded) {
            return;
        }
        let learnt = self.read(pid, mapping);
        let learnt = learnt.filter(|learnt| is_recorded_as(learnt, mapping));
        let refused = learnt.as_ref().and_then(|learnt| learnt.module.unreadable);
        let file = match learnt.and_then(|learnt| learnt.image) {
            Some(ModuleImage::File(file)) => Some(file),
            // What is at its path is not what the process has mapped. Nor is its build ID, if that was
            // read after the file had been written to, as of mappings that were there before.
            None if refused == Some(Reason::IdentityUnproven) => {
                if mapping.build_id.is_some() && opened(pid, mapping).is_some() {
                    mapping.build_id = None;
                    recorded = RecordedAs::mapped(mapping);
                }
                None
            }
            _ => opened(pid, mapping).map(Arc::new),
        };
        match (file, refused) {
            (Some(file), _) => {
                let root = root_of(pid, None);
                files.held().hold(recorded, file, Some(&root));
            }
            (None, Some(reason)) => files.held().refuse(recorded, reason),
            (None, None) => {}
        }
    }

    /// Whether a process has an ELF file there.
    fn has_program(&mut self, pid: u32, mapping: &Mmap) -> bool {
        let learnt = self.read(pid, mapping);
        learnt.is_some_and(|learnt| learnt.module.segments.is_some())
    }

    /// Whether a process has a file without a name there that is no program.
    fn has_unlinked_memory(&mut self, pid: u32, mapping: &Mmap) -> bool {
        let learnt = self.read(pid, mapping);
        learnt.is_some_and(|learnt| is_unlinked_memory(&learnt.module))
    }

    /// Asks a process whether its memory without a file is text of a file that it moved there.
    /// That file is kept.
    fn text_at(&mut self, pid: u32, mapping: &Mmap, files: &ModuleFiles) -> TextAnswer {
        // Looked at first: it may be written while it is asked.
        let is_written = is_written(pid, mapping.range);
        let Some((outcomes, session)) = self.outcomes_of(pid, mapping.range) else {
            return TextAnswer::Unknown;
        };
        let place = |outcome| match outcome {
            Outcome::Located {
                module,
                file_offset,
            } => Some((module, file_offset)),
            _ => None,
        };
        let [Some((module, offset)), Some((same, end))] = outcomes.map(place) else {
            let is_code = outcomes.contains(&Outcome::Unresolved(Reason::Anonymous));
            let is_partly = outcomes.iter().any(|it| place(*it).is_some());
            return match is_code && !is_partly {
                true if is_written => TextAnswer::Other,
                true => TextAnswer::NotWritten,
                false => TextAnswer::Unknown,
            };
        };
        // All of it, as one piece.
        let size = mapping.range.size();
        if module != same || offset.checked_add(size.saturating_sub(1)) != Some(end) {
            return TextAnswer::Unknown;
        }
        let known = session.modules().get(module.as_usize()).cloned();
        session.release_images(0);
        let known = known.filter(|known| known.module.inferred);
        let Some(NormalizedModule { module, image, .. }) = known else {
            return TextAnswer::Unknown;
        };
        let mut name = module.path;
        if module.deleted {
            name.extend_from_slice(b" (deleted)");
        }
        let text = Mmap {
            range: mapping.range,
            offset,
            perms: mapping.perms,
            device: module.device,
            inode: module.inode,
            build_id: module.build_id,
            name,
            moved: MovedText::Moved,
        };
        if let Some(ModuleImage::File(file)) = image {
            let root = root_of(pid, None);
            (files.held()).hold(RecordedAs::mapped(&text), file, Some(&root));
        }
        TextAnswer::Moved(text)
    }

    /// Asks a process what it has mapped at both ends of a range.
    fn outcomes_of(&mut self, pid: u32, range: AbsRange) -> Option<([Outcome; 2], &mut Session)> {
        let ends = [range.start, AbsAddr(range.end.0.checked_sub(1)?)];
        let mut outcomes = Vec::new();
        let is_open = matches!(&self.last, Some((last, _)) if *last == pid);
        let known = self.last.as_mut().filter(|_| is_open);
        let is_answered =
            known.is_some_and(|(_, session)| session.normalize(&ends, &mut outcomes).is_ok());
        if !is_answered {
            // It runs another program, or is another process.
            self.last = None;
            let options = Options::default().with_images(true);
            let mut session = Session::open(pid, options).ok()?;
            session.normalize(&ends, &mut outcomes).ok()?;
            self.last = Some((pid, session));
        }
        let (_, session) = self.last.as_mut()?;
        Some((outcomes.try_into().ok()?, session))
    }

    /// A process changed, at the event with this number.
    pub(super) fn changed(&mut self, pid: u32, change: &ProcessChange) {
        self.open.changed(pid, change);
    }

    /// Asks processes again of memory that was not written before. Returns what was mapped by the
    /// events with these numbers, with what is known of it now.
    pub(super) fn ask_again(&mut self, files: &ModuleFiles) -> Vec<ProcessRecord> {
        let due = self.open.take_due().into_iter();
        let answered = due.filter_map(|open| {
            let (pid, time_ns) = (open.pid, open.order);
            let answer = self.text_at(pid, &open.mapping, files);
            let mut mapping = open.answered(answer)?;
            if is_made(pid, &mapping) {
                called_as_perf_does(pid, &mut mapping);
            }
            let change = ProcessChange::Mmap(mapping);
            Some(ProcessRecord {
                time_ns,
                pid,
                change,
            })
        });
        answered.collect()
    }

    /// Returns the build ID of the vDSO of a process that is not of the host's kind, and keeps its
    /// image.
    fn vdso(&mut self, pid: u32, mapping: &Mmap, files: &ModuleFiles) -> Option<BuildId> {
        // All processes of a kind have the same one.
        if let Some(id) = files.host().vdso_like(mapping) {
            return Some(id);
        }
        let learnt = self.read(pid, mapping)?;
        let id = learnt.module.build_id?;
        match learnt.image {
            Some(ModuleImage::Bytes(image)) if learnt.module.kind == ModuleKind::Vdso => {
                files.held().add_vdso(id, image);
                Some(id)
            }
            _ => None,
        }
    }

    /// Asks the process what it has mapped there.
    fn read(&mut self, pid: u32, mapping: &Mmap) -> Option<NormalizedModule> {
        let is_open = matches!(&self.last, Some((last, _)) if *last == pid);
        if is_open && let Some(known) = self.ask(mapping) {
            return Some(known);
        }
        // It runs another program, or is another process.
        self.last = None;
        let options = Options::default().with_images(true);
        self.last = Some((pid, Session::open(pid, options).ok()?));
        self.ask(mapping)
    }

    fn ask(&mut self, mapping: &Mmap) -> Option<NormalizedModule> {
        let (_, session) = self.last.as_mut()?;
        let mut outcomes = Vec::new();
        session
            .normalize(&[mapping.range.start], &mut outcomes)
            .ok()?;
        let Some(Outcome::Located { module, .. }) = outcomes.first() else {
            return None;
        };
        let known = session.modules().get(module.as_usize())?.clone();
        session.release_images(0);
        Some(known)
    }
}

/// Whether a process makes code there, as far as its mapping tells, and the process if it lives: a
/// file in memory may have a program in it, and one without a name may be a library that was deleted.
/// Of the latter, a process that has ended says by its list of names that it made code there:
/// `is_listed`.
pub(super) fn is_for_code(
    pid: u32,
    mapping: &Mmap,
    live: Option<&mut LiveFiles>,
    is_listed: impl FnOnce() -> bool,
) -> bool {
    if is_made(pid, mapping) {
        return true;
    }
    if is_in_memfd(pid, mapping) {
        return !live.is_some_and(|live| live.has_program(pid, mapping));
    }
    is_in_unlinked_file(pid, mapping)
        && (live.is_some_and(|live| live.has_unlinked_memory(pid, mapping)) || is_listed())
}

/// The name of the vDSO in records.
pub(super) const VDSO: &[u8] = b"[vdso]";

/// Whether what a process has mapped there now is what was recorded: it may have mapped another
/// file since, or be another process.
fn is_recorded_as(learnt: &NormalizedModule, mapping: &Mmap) -> bool {
    let module = &learnt.module;
    match (mapping.inode, mapping.build_id) {
        (0, None) => false,
        // A member of an archive has a build ID of its own.
        (0, id) => {
            let is_member = learnt.member.is_some() && module.path.starts_with(&mapping.name);
            // No build ID is that of one that was written to since.
            let is_rewritten = module.unreadable == Some(Reason::IdentityUnproven);
            is_member || module.build_id == id || is_rewritten && module.path == mapping.name
        }
        (inode, _) => module.inode == inode && module.device == mapping.device,
    }
}

/// Opens the recorded file by the root of the process, or as its program, which needs fewer
/// rights than what it has mapped.
fn opened(pid: u32, mapping: &Mmap) -> Option<File> {
    let name = &*mapping.name;
    let path = name.strip_suffix(b" (deleted)").unwrap_or(name);
    let inside =
        backsight_files::open_inside(&root_of(pid, None), Path::new(OsStr::from_bytes(path)));
    let inside = inside.ok().filter(|file| is_file_of(file, mapping));
    inside.or_else(|| {
        // A link of the kernel to the file itself.
        let program = File::open(format!("/proc/{pid}/exe")).ok()?;
        is_file_of(&program, mapping).then_some(program)
    })
}

fn is_file_of(file: &File, mapping: &Mmap) -> bool {
    match (mapping.inode, mapping.build_id) {
        (0, None) => false,
        (0, id) => Headers::read(file).is_ok_and(|headers| headers.build_id == id),
        (inode, _) => file.metadata().is_ok_and(|it| {
            let (device, same) = (it.dev(), |a: u64, b: u32| a == u64::from(b));
            it.ino() == inode
                && same(major(device), mapping.device.major)
                && same(minor(device), mapping.device.minor)
        }),
    }
}
