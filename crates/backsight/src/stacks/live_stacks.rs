//! Takes whole stacks of the threads of a live process.
//!
//! Threads are stopped one after the other, each only while its registers and the begin of its
//! stack are copied; they are unwound while they run again. A stack that goes on beyond what was
//! copied is taken again, with more of it. So the stacks of two threads are not of one moment.

use std::collections::HashSet;

use backsight_normalize::Session;
use backsight_unwind::Walker;

use super::code::LiveCode;
use super::machine_registers::can_read;
use super::options::StackOptions;
use super::round::Round;
use super::tasks::Tasks;
use super::thread_stack::ThreadStack;
use crate::live::{LiveError, root_of};

/// How many threads are copied before they are unwound, which bounds the memory of the copies.
const AT_ONCE: usize = 256;

/// Takes whole stacks of the threads of a live process.
///
/// Each thread is stopped by `ptrace` for some tens of microseconds, and runs on also if this
/// process is killed meanwhile. As with every debugger, a system call that is never restarted,
/// such as `epoll_wait`, fails with `EINTR` in a thread that was stopped in it.
///
/// The addresses are looked up with a [`Live`](crate::Live) of the same process, which is opened
/// first: it notices if the process ID was used again.
///
/// ```no_run
/// use backsight::{Live, LiveStacks, StackOptions};
///
/// let pid = 1234;
/// let mut live = Live::open(pid)?;
/// let mut stacks = LiveStacks::open(pid, backsight::symbolize::Options::default())?;
/// for thread in stacks.read(&StackOptions::default())? {
///     let Ok((frames, _)) = &thread.stack else { continue };
///     let asked = frames.iter().map(|frame| (frame.addr, frame.lookup));
///     let begun = live.begin(asked)?;
///     begun.look_up(live.symbolizer()).each(|answer| {
///         println!("{} {:?}", thread.tid, answer.frames);
///         Ok::<(), std::convert::Infallible>(())
///     }).unwrap();
/// }
/// # Ok::<(), backsight::LiveError>(())
/// ```
#[derive(Debug)]
pub struct LiveStacks {
    pid: u32,
    session: Session,
    walker: Walker,
    code: LiveCode,
    tasks: Tasks,
}

impl LiveStacks {
    /// Opens a process. `symbols` says where debug files and Breakpad symbol files are looked for:
    /// for code without call frame information in its own file.
    ///
    /// # Errors
    /// If there is no such process, or its memory map may not be read.
    pub fn open(pid: u32, symbols: backsight_symbolize::Options) -> Result<Self, LiveError> {
        let mut symbols = symbols;
        if symbols.roots.is_empty() {
            symbols.roots.push(root_of(pid, None));
        }
        let options = backsight_normalize::Options::default().with_images(true);
        let session = Session::open(pid, options);
        let session = session.map_err(|error| LiveError::Process { pid, error })?;
        Ok(Self {
            pid,
            session,
            walker: Walker::new(),
            code: LiveCode::new(symbols),
            tasks: Tasks::of(pid),
        })
    }

    /// Returns the threads by thread ID with their stacks, or why a stack is not known. Threads
    /// that start meanwhile are found; those that end are left out, except the first one of the
    /// process.
    ///
    /// # Errors
    /// If the process has ended, or is one without memory: a zombie, or a thread of the kernel.
    pub fn read(&mut self, options: &StackOptions) -> Result<Vec<ThreadStack>, LiveError> {
        let pid = self.pid;
        let failed = |error| LiveError::Process { pid, error };
        let gone = || failed(vma_query::Error::ProcessGone);
        let snapshot = self.session.maps().ok_or_else(gone)?.snapshot();
        let code = snapshot.and_then(|snapshot| {
            let (session, walker) = (&mut self.session, &mut self.walker);
            Ok((self.code.map(&snapshot, session, walker)?, snapshot))
        });
        let (code, snapshot) = match code {
            Ok(both) => both,
            // What has no memory is no process that ended, or not one that nobody knows any more.
            Err(vma_query::Error::ProcessGone) => match self.tasks.without_memory() {
                Some(thread) => return Ok(vec![thread]),
                None => return Err(gone()),
            },
            Err(error) => return Err(failed(error)),
        };
        self.walker.set_max_frames(options.max_frames);
        let can_read = can_read(&self.tasks.program_head());
        let (mut found, mut seen) = (Vec::new(), HashSet::new());
        loop {
            let mut new = self.tasks.ids();
            new.retain(|tid| options.tid.is_none_or(|only| only == *tid) && seen.insert(*tid));
            if new.is_empty() {
                break;
            }
            for some in new.chunks(AT_ONCE) {
                let round = Round {
                    options,
                    tasks: &self.tasks,
                    code: &code,
                    snapshot: &snapshot,
                    can_read,
                };
                found.extend(round.read(some, &mut self.walker));
            }
        }
        if found.is_empty() && options.tid.is_none() {
            return Err(gone());
        }
        found.sort_by_key(|thread| thread.tid);
        Ok(found)
    }
}
