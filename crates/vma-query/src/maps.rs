//! An open process whose VMAs can be queried.

use std::fs::File;
use std::os::fd::BorrowedFd;

use backsight_types::BuildId;
use nix::errno::Errno;

use crate::backend::{Backend, Choice, Refusal};
use crate::error::{Error, FileError, Result};
use crate::ioctl::{self, QueryError};
use crate::maps_file::MapsFile;
use crate::name::NameBuf;
use crate::query::Query;
use crate::snapshot::Snapshot;
use crate::text_walk;
use crate::vma::Vma;
use crate::vsyscall;

/// An open process whose VMAs can be queried.
///
/// It holds a file descriptor that is bound to the process's address space; the crate's
/// documentation says what that guarantees. Threads may share it.
#[derive(Debug)]
pub struct ProcMaps {
    file: MapsFile,
    choice: Choice,
}

impl ProcMaps {
    pub(crate) fn new(file: MapsFile, backend: Backend) -> Self {
        Self {
            file,
            choice: Choice::new(backend),
        }
    }

    /// Returns the backend in use, [`Backend::Auto`] before the first query.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.choice.in_use()
    }

    /// Returns the open directory of the process, if it was kept, for opening its `root`,
    /// `map_files` and `mem`. If the first thread has ended, the first query switches to
    /// another thread (see [`OpenOptions::open`](crate::OpenOptions::open)); from then
    /// on, this is the directory of that thread, which has no `map_files`. So call this
    /// after the first query.
    #[must_use]
    pub fn directory(&self) -> Option<BorrowedFd<'_>> {
        self.file.directory()
    }

    /// Returns the VMA that `query` asks for, or `None`.
    ///
    /// By text, each call reads the text up to the answer. For several addresses use a
    /// [`cursor`](Self::cursor) or a [`snapshot`](Self::snapshot).
    ///
    /// # Errors
    /// [`Error::ProcessGone`]; [`Error::Unsupported`] when [`Backend::Ioctl`] was chosen
    /// and the kernel does not support it; [`Error::NotMaps`]; by text also
    /// [`Error::Malformed`] and [`Error::Torn`].
    pub fn query(&self, query: Query) -> Result<Option<Vma>> {
        match self.ioctl(query)? {
            Reply::Answer(found) => Ok(found),
            Reply::UseText => text_walk::query(&self.file, query, None),
        }
    }

    /// Returns the VMA that `query` asks for and puts its name into `name`.
    ///
    /// A path above 4 KiB does not fit the ioctl's answer. Then this one call reads the
    /// text.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn query_named(&self, query: Query, name: &mut NameBuf) -> Result<Option<Vma>> {
        match self.ioctl_named(query, name)? {
            Reply::Answer(found) => Ok(found),
            Reply::UseText => text_walk::query(&self.file, query, Some(name)),
        }
    }

    /// Returns the VMA that `query` asks for and the GNU build ID that the kernel
    /// reads from the mapped file itself: a replaced path or another mount
    /// namespace does not matter, and a deleted file still answers.
    ///
    /// It costs as much as five plain queries, may block on the file's device, and can
    /// trigger kernel bugs: call it once for each file.
    ///
    /// # Errors
    /// As [`query`](Self::query); [`Error::Unsupported`] by text, which has no build IDs.
    pub fn query_build_id(&self, query: Query) -> Result<Option<(Vma, Option<BuildId>)>> {
        if self.choice.is_text() {
            return Err(Error::Unsupported);
        }
        match self.run_ioctl(|maps| ioctl::ask_build_id(maps, query))? {
            IoctlReply::Found(found) => Ok(Some(found)),
            IoctlReply::UseText => Err(Error::Unsupported),
            IoctlReply::NoMatch | IoctlReply::NameTooLong => {
                Ok(vsyscall::answer(&self.file, query).map(|page| (page, None)))
            }
        }
    }

    /// Reads the whole text, with any backend, and reads it again if it is torn.
    ///
    /// # Errors
    /// [`Error::ProcessGone`], [`Error::Malformed`], and [`Error::Torn`] when the
    /// process kept changing its mappings through several readings.
    pub fn snapshot(&self) -> Result<Snapshot> {
        Snapshot::of(&self.file)
    }

    pub(crate) fn file(&self) -> &MapsFile {
        &self.file
    }

    /// Queries a VMA by ioctl, unless the text backend is in use.
    #[inline]
    pub(crate) fn ioctl(&self, query: Query) -> Result<Reply> {
        if self.choice.is_text() {
            return Ok(Reply::UseText);
        }
        match self.run_ioctl(|maps| ioctl::ask(maps, query))? {
            IoctlReply::Found(vma) => Ok(Reply::Answer(Some(vma))),
            IoctlReply::UseText => Ok(Reply::UseText),
            IoctlReply::NoMatch | IoctlReply::NameTooLong => {
                Ok(Reply::Answer(vsyscall::answer(&self.file, query)))
            }
        }
    }

    /// As [`ioctl`](Self::ioctl), with the name.
    #[inline]
    pub(crate) fn ioctl_named(&self, query: Query, name: &mut NameBuf) -> Result<Reply> {
        if self.choice.is_text() {
            return Ok(Reply::UseText);
        }
        loop {
            return Ok(
                match self.run_ioctl(|maps| ioctl::ask_named(maps, query, name))? {
                    IoctlReply::Found(vma) => Reply::Answer(Some(vma)),
                    IoctlReply::UseText => Reply::UseText,
                    IoctlReply::NameTooLong if name.grow() => continue,
                    IoctlReply::NameTooLong => {
                        Reply::Answer(text_walk::query(&self.file, query, Some(name))?)
                    }
                    IoctlReply::NoMatch => {
                        let page = vsyscall::answer(&self.file, query);
                        name.set(if page.is_some() { vsyscall::NAME } else { b"" });
                        Reply::Answer(page)
                    }
                },
            );
        }
    }

    /// As [`ioctl_named`](Self::ioctl_named), with the build ID.
    pub(crate) fn ioctl_identified(
        &self,
        query: Query,
        name: &mut NameBuf,
    ) -> Result<Reply<Identified>> {
        if self.choice.is_text() {
            return Ok(Reply::UseText);
        }
        match self.run_ioctl(|maps| ioctl::ask_identified(maps, query, name))? {
            IoctlReply::Found(found) => return Ok(Reply::Answer(Some(found))),
            IoctlReply::UseText => return Ok(Reply::UseText),
            IoctlReply::NoMatch | IoctlReply::NameTooLong => {}
        }
        // Rare: fetch the name and the build ID with separate queries.
        let found = match self.ioctl_named(query, name)? {
            Reply::Answer(found) => found,
            Reply::UseText => return Ok(Reply::UseText),
        };
        let Some(vma) = found else {
            return Ok(Reply::Answer(None));
        };
        let build_id = self.query_build_id(Query::covering(vma.start))?;
        let build_id = build_id.filter(|(now, _)| *now == vma);
        Ok(Reply::Answer(Some((vma, build_id.and_then(|(_, id)| id)))))
    }

    /// Calls the ioctl and handles its errors.
    #[inline]
    fn run_ioctl<T>(
        &self,
        mut ask: impl FnMut(&File) -> Result<T, QueryError>,
    ) -> Result<IoctlReply<T>> {
        let file = self.file.file();
        match ask(file) {
            Ok(found) => {
                self.choice.ioctl_answered();
                Ok(IoctlReply::Found(found))
            }
            Err(error) => self.retry_on_other_thread(error, file, ask),
        }
    }

    /// Handles an error. If the process had no memory, the ioctl is repeated on another
    /// thread of it, as the first may have ended before the open.
    #[cold]
    fn retry_on_other_thread<T>(
        &self,
        error: QueryError,
        file: &File,
        mut ask: impl FnMut(&File) -> Result<T, QueryError>,
    ) -> Result<IoctlReply<T>> {
        let other = (error == QueryError::ProcessGone).then(|| self.file.replacement_for(file));
        match other.flatten().map_or(Err(error), &mut ask) {
            Ok(found) => Ok(IoctlReply::Found(found)),
            Err(error) => self.sort_reply(error),
        }
    }

    /// Tells apart the errors of the ioctl: no VMA matches, a failure, or a kernel
    /// without the ioctl.
    fn sort_reply<T>(&self, error: QueryError) -> Result<IoctlReply<T>> {
        let reply = match error {
            QueryError::NoMatch => IoctlReply::NoMatch,
            QueryError::NameTooLong => IoctlReply::NameTooLong,
            QueryError::ProcessGone => return Err(Error::ProcessGone),
            QueryError::OutOfMemory => return Err(self.failed(Errno::ENOMEM)),
            QueryError::Refused(errno) => return self.refused(errno),
        };
        self.choice.ioctl_answered();
        Ok(reply)
    }

    #[cold]
    fn refused<T>(&self, errno: Errno) -> Result<IoctlReply<T>> {
        match self.choice.ioctl_refused() {
            Refusal::UseText => Ok(IoctlReply::UseText),
            Refusal::Unsupported => Err(Error::Unsupported),
            Refusal::ThisFileAlone if errno == Errno::ENOTTY => Err(Error::NotMaps),
            Refusal::ThisFileAlone => Err(self.failed(errno)),
        }
    }

    #[cold]
    fn failed(&self, errno: Errno) -> Error {
        Error::Io(FileError::new("query", self.file.path().as_deref(), errno))
    }
}

/// A VMA, and the build ID of the mapped file.
pub(crate) type Identified = (Vma, Option<BuildId>);

/// The result of the ioctl, if it is in use.
pub(crate) enum Reply<T = Vma> {
    /// The VMA asked for, or `None` if there is none.
    Answer(Option<T>),
    /// This file is read by text.
    UseText,
}

/// A result of the ioctl that is not an error of this crate.
enum IoctlReply<T> {
    Found(T),
    NoMatch,
    NameTooLong,
    UseText,
}
