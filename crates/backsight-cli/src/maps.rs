//! `backsight maps`: lists the VMAs of a process, as the kernel prints them.

use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;

use backsight_formats::maps_text::MapsLine;
use backsight_formats::ndjson::{self, Writer};
use backsight_types::{AbsAddr, BuildId, Device};
use vma_query::{Error, Filter, NameBuf, OpenOptions, ProcMaps, Query, Vma, VmaName};

use crate::args::{BackendArg, Format, Pids, all_pids, check_proc_root, parse_addr, parse_pids};
use crate::failure::{self, Done, Failure, Result, complain, each_process};

/// List the VMAs of a process
///
/// The text format is that of /proc/PID/maps, byte for byte, with either backend.
#[derive(Debug, clap::Args)]
pub(crate) struct Maps {
    /// The process, or several: `-p 1,2`, `-p 1 2`, `-p $(pidof name)`
    #[arg(short, long, value_name = "PID", value_parser = parse_pids)]
    #[arg(required = true, num_args = 1..)]
    pid: Vec<Pids>,

    /// Only the VMA that contains this address
    #[arg(long, value_name = "ADDR", value_parser = parse_addr)]
    at: Option<AbsAddr>,

    /// Only executable VMAs
    #[arg(long)]
    exec: bool,

    /// Only VMAs that map a file
    #[arg(long)]
    file_backed: bool,

    /// Add the build ID that the kernel reads from the mapped file (in text after a tab);
    /// requires the ioctl
    #[arg(long)]
    build_id: bool,

    /// Where to find processes instead of /proc, such as /host/proc in a sidecar
    #[arg(long, value_name = "DIR")]
    proc_root: Option<PathBuf>,

    /// How to read the VMAs
    #[arg(long, value_enum, default_value_t)]
    backend: BackendArg,

    /// How to print them
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Maps {
    pub(crate) fn run(self, out: &mut impl Write) -> Result {
        if self.build_id && self.backend == BackendArg::Text {
            let message = "--build-id requires the ioctl, because the text has no build IDs: \
                           omit --backend text, or use `backsight normalize`";
            return Err(Failure::Usage(message.to_owned()));
        }
        check_proc_root(self.proc_root.as_deref())?;
        each_process(&all_pids(&self.pid), |pid| self.process(pid, out))
    }

    fn process(&self, pid: u32, out: &mut impl Write) -> Result {
        let failed = |error: Error| failure::process(pid, &error);
        let mut open = OpenOptions::new()
            .backend(self.backend.into())
            .directory(false);
        if let Some(proc_root) = &self.proc_root {
            open = open.proc_root(proc_root);
        }
        let maps = open.open(pid).map_err(failed)?;
        let mut build_ids = self.build_id.then(|| KnownBuildIds::new(pid, &maps));
        let mut name = NameBuf::new();
        let mut vmas = maps
            .vmas()
            .only(self.filter())
            .from(self.at.unwrap_or_default());
        let mut any = false;
        while let Some(vma) = vmas.next_named(&mut name) {
            let vma = vma.map_err(failed)?;
            if self.at.is_some_and(|at| !vma.contains(at)) {
                break;
            }
            let build_id = match &mut build_ids {
                Some(ids) => ids.of(&vma).map_err(failed)?,
                None => None,
            };
            self.write(&vma, &name, build_id, out)?;
            any = true;
            if self.at.is_some() {
                break;
            }
        }
        if let (Some(at), false) = (self.at, any) {
            complain(format_args!("process {pid}: no such VMA covers {at}"));
        }
        Ok(Done::Fully)
    }

    fn filter(&self) -> Filter {
        let when = |wanted, filter| if wanted { filter } else { Filter::ANY };
        when(self.exec, Filter::EXECUTABLE) | when(self.file_backed, Filter::FILE_BACKED)
    }

    fn write(
        &self,
        vma: &Vma,
        name: &NameBuf,
        build_id: Option<BuildId>,
        out: &mut impl Write,
    ) -> Result<()> {
        let line = MapsLine {
            range: vma.range(),
            perms: vma.perms,
            file_offset: vma.offset,
            device: vma.device,
            inode: vma.inode,
            name: name.as_bytes(),
        };
        match (self.format, build_id) {
            (Format::Text, None) => line.write(out)?,
            (Format::Text, Some(id)) => {
                let mut text = Vec::new();
                line.write(&mut text)?;
                text.pop_if(|last| *last == b'\n');
                out.write_all(&text)?;
                writeln!(out, "\t{id}")?;
            }
            (Format::Json, _) => {
                let (name, deleted, kind) = describe(name.name(), name.as_bytes());
                let line = MapsLine { name, ..line };
                let vma = ndjson::VmaLine::new(&line, deleted, kind, build_id);
                Writer::new(out).vma(&vma)?;
            }
        }
        Ok(())
    }
}

/// Returns the name without ` (deleted)`, whether it had that suffix, and the kind.
fn describe<'n>(name: VmaName<'n>, raw: &'n [u8]) -> (&'n [u8], bool, &'static str) {
    match name {
        VmaName::Path { path, deleted } => (path, deleted, "file"),
        VmaName::Memfd { .. } => (
            raw.strip_suffix(b" (deleted)").unwrap_or(raw),
            false,
            "memfd",
        ),
        VmaName::None => (raw, false, "anonymous"),
        VmaName::Heap => (raw, false, "heap"),
        VmaName::Stack => (raw, false, "stack"),
        VmaName::Vdso => (raw, false, "vdso"),
        VmaName::Vvar => (raw, false, "vvar"),
        VmaName::Vsyscall => (raw, false, "vsyscall"),
        VmaName::Uprobes => (raw, false, "uprobes"),
        VmaName::Anon(_) => (raw, false, "anon"),
        VmaName::AnonShmem(_) => (raw, false, "anon_shmem"),
        _ => (raw, false, "other"),
    }
}

/// The build ID of each file, queried once.
struct KnownBuildIds<'m> {
    pid: u32,
    maps: &'m ProcMaps,
    known: HashMap<(Device, u64), Option<BuildId>>,
    unsupported: bool,
}

impl<'m> KnownBuildIds<'m> {
    fn new(pid: u32, maps: &'m ProcMaps) -> Self {
        Self {
            pid,
            maps,
            known: HashMap::new(),
            unsupported: false,
        }
    }

    fn of(&mut self, vma: &Vma) -> Result<Option<BuildId>, Error> {
        if !vma.is_file_backed() || self.unsupported {
            return Ok(None);
        }
        let file = (vma.device, vma.inode);
        if let Some(id) = self.known.get(&file) {
            return Ok(*id);
        }
        let id = match self.maps.query_build_id(Query::covering(vma.start)) {
            // The mapping at the address may have changed since.
            Ok(Some((now, id))) if (now.device, now.inode) == file => id,
            Ok(_) => return Ok(None),
            Err(Error::Unsupported) => {
                self.unsupported = true;
                complain(format_args!(
                    "process {}: no build IDs: this kernel does not support PROCMAP_QUERY; \
                     `backsight normalize` reads them from the files",
                    self.pid
                ));
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        self.known.insert(file, id);
        Ok(id)
    }
}
