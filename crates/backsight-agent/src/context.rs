//! What a process publishes of itself: see `backsight_formats::process_context`.

use std::io::IoSliceMut;

use backsight_formats::process_context::{ContextAttributes, ContextError, ContextHeader};
use backsight_types::AbsAddr;
use nix::errno::Errno;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;
use vma_query::{NameBuf, OpenOptions, ProcMaps, Vma, VmaName};

/// The name of the mapping.
const NAME: &[u8] = b"OTEL_CTX";

/// Mappings of the name that are looked at: there is one, unless the process has bad intentions.
const MAX_MAPPINGS: usize = 4;

/// How often a context is read that the process is changing meanwhile.
const MAX_TRIES: usize = 3;

/// What the process publishes; `None` if it does not.
pub(crate) type PublishedContext = Option<Result<ContextAttributes, &'static str>>;

/// Reads what a process publishes. An error is a reason to be counted.
pub(crate) fn read(pid: u32) -> PublishedContext {
    let maps = OpenOptions::new().directory(false).open(pid).ok()?;
    read_of(&maps, pid)
}

fn read_of(maps: &ProcMaps, pid: u32) -> PublishedContext {
    let mappings = find(maps);
    let first = mappings.first()?.start.0;
    let memory = ProcessMemory(pid);
    match memory.read(first, &mut [0]) {
        // It has ended.
        Err(Errno::ESRCH) => return None,
        Err(Errno::EPERM | Errno::EACCES | Errno::ENOSYS) => {
            return Some(Err("memory of the process that may not be read"));
        }
        _ => {}
    }
    let mut last = None;
    for vma in mappings {
        match read_at(memory, &vma) {
            Ok(found) => return Some(Ok(found)),
            // Not published yet, or no context.
            Err(ContextReason::Context(ContextError::NoSignature)) => {}
            Err(reason) => last = Some(Err(reason.text())),
        }
    }
    last
}

/// Returns the mappings that have the name, in order of address.
pub(crate) fn find(maps: &ProcMaps) -> Vec<Vma> {
    let mut found = Vec::new();
    let mut name = NameBuf::new();
    let mut cursor = maps.cursor();
    let mut at = AbsAddr(0);
    while let Ok(Some(vma)) = cursor.seek_named(at, &mut name) {
        if vma.end <= at || found.len() >= MAX_MAPPINGS {
            break;
        }
        at = vma.end;
        let is_it = match name.name() {
            VmaName::Anon(name) | VmaName::AnonShmem(name) | VmaName::Memfd { name } => {
                name.starts_with(NAME)
            }
            _ => false,
        };
        if is_it {
            found.push(vma);
        }
    }
    found
}

/// The memory of a process. The call needs the right to trace the process, as `/proc/PID/mem` does;
/// that is the user's file in addition, which others may not open.
#[derive(Clone, Copy, Debug)]
struct ProcessMemory(u32);

impl ProcessMemory {
    /// Fills a buffer, or fails.
    fn read(self, at: u64, buffer: &mut [u8]) -> Result<(), Errno> {
        let pid = i32::try_from(self.0).map_err(|_| Errno::ESRCH)?;
        let (base, len) = (
            usize::try_from(at).map_err(|_| Errno::EFAULT)?,
            buffer.len(),
        );
        let mut local = [IoSliceMut::new(buffer)];
        let count = process_vm_readv(Pid::from_raw(pid), &mut local, &[RemoteIoVec { base, len }])?;
        match count == len {
            true => Ok(()),
            false => Err(Errno::EFAULT),
        }
    }
}

/// Why a context was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ContextReason {
    /// The mapping or the payload is not in memory, or not as large as it says.
    Outside,
    Context(ContextError),
}

impl ContextReason {
    fn text(self) -> &'static str {
        match self {
            Self::Outside => "a payload outside of the memory of the process",
            Self::Context(ContextError::OtherVersion) => "a version that is not known",
            Self::Context(ContextError::BeingChanged) => "being changed",
            Self::Context(ContextError::TooLarge) => "a payload of more than 64 KiB",
            Self::Context(_) => "a payload that is malformed",
        }
    }
}

fn read_at(memory: ProcessMemory, vma: &Vma) -> Result<ContextAttributes, ContextReason> {
    for _ in 0..MAX_TRIES {
        let header = match header(memory, vma) {
            Err(ContextReason::Context(ContextError::BeingChanged)) => continue,
            header => header?,
        };
        let size = usize::try_from(header.size).map_err(|_| ContextReason::Outside)?;
        let mut payload = vec![0; size];
        let read = memory.read(header.payload, &mut payload);
        // What was read may be of a payload that is replaced, and so may the failure.
        if self::header(memory, vma) != Ok(header) {
            continue;
        }
        read.map_err(|_| ContextReason::Outside)?;
        return ContextAttributes::parse(&payload).map_err(ContextReason::Context);
    }
    Err(ContextReason::Context(ContextError::BeingChanged))
}

fn header(memory: ProcessMemory, vma: &Vma) -> Result<ContextHeader, ContextReason> {
    let mut bytes = [0; ContextHeader::BYTES];
    let read = memory.read(vma.start.0, &mut bytes);
    read.map_err(|_| ContextReason::Outside)?;
    ContextHeader::parse(&bytes).map_err(ContextReason::Context)
}

#[cfg(test)]
mod tests {
    use backsight_formats::process_context::ContextValue;
    use testkit::kernel::{Ioctl, ioctl};
    use testkit::publisher::{self, Publisher};
    use testkit::skip;
    use vma_query::{Backend, OpenOptions, Vma};

    use super::{find, read};

    fn started(kind: &str, case: &str) -> Option<Publisher> {
        match publisher::start(kind, case) {
            Ok(Some(running)) => Some(running),
            // CONFIG_ANON_VMA_NAME: kernels without it have no such mapping to find.
            Ok(None) => None,
            Err(why) => {
                skip(&why);
                None
            }
        }
    }

    /// Returns `None` where the kernel has not got the ioctl.
    fn found_by(backend: Backend, pid: u32) -> Option<Vec<Vma>> {
        let maps = OpenOptions::new().backend(backend).open(pid).unwrap();
        match maps.query(vma_query::Query::covering_or_next(
            backsight_types::AbsAddr(0),
        )) {
            Err(vma_query::Error::Unsupported) => None,
            _ => Some(find(&maps)),
        }
    }

    #[test]
    fn each_kind_of_mapping_is_found_by_ioctl_and_text_alike() {
        for kind in ["memfd", "private", "shared"] {
            let Some(running) = started(kind, "right") else {
                continue;
            };
            let pid = running.process.pid();
            let by_text = found_by(Backend::Text, pid).unwrap();
            let starts: Vec<u64> = by_text.iter().map(|vma| vma.start.0).collect();
            assert_eq!(starts, [running.at], "{kind}");
            match found_by(Backend::Ioctl, pid) {
                Some(by_ioctl) => assert_eq!(by_ioctl, by_text, "{kind}"),
                None => assert_ne!(ioctl(), Ioctl::Answers, "{kind}"),
            }
            let found = read(pid).unwrap().unwrap();
            let text = |text: &str| ContextValue::Text(text.to_owned());
            let want = [
                ("service.name".to_owned(), text("shop")),
                ("service.instance.id".to_owned(), text("42-a")),
            ];
            assert_eq!(found.attributes, want, "{kind}");
            assert_eq!(found.left_out, 0, "{kind}");
        }
        assert_eq!(read(std::process::id()), None);
    }

    #[test]
    fn a_hostile_context_is_a_reason() {
        for (case, want) in [
            ("size", Some("a payload of more than 64 KiB")),
            (
                "outside",
                Some("a payload outside of the memory of the process"),
            ),
            ("version", Some("a version that is not known")),
            ("changing", Some("being changed")),
            ("malformed", Some("a payload that is malformed")),
            // Not published yet.
            ("unsigned", None),
        ] {
            let Some(running) = started("memfd", case) else {
                return;
            };
            let found = read(running.process.pid());
            assert_eq!(found, want.map(Err), "{case}");
        }
    }
}
