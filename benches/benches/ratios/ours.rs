//! This project as a contestant.

use backsight_normalize::{Backend, BuildIds, Options, Session, Trust};
use backsight_types::{AbsAddr, Outcome};

use crate::process::{Place, Process};
use crate::raw::With;
use crate::target::Rotation;

/// What is wanted for each module besides its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Know {
    Names,
    /// The kernel's build IDs, as the other contestants give.
    BuildIds,
    /// Also segments, and so virtual offsets.
    All,
}

impl Know {
    /// Returns the queries of a floor with the same information.
    pub(crate) fn asks(self) -> With {
        match self {
            Self::Names => With::Name,
            Self::BuildIds | Self::All => With::NameAndBuildId,
        }
    }
}

pub(crate) fn options(backend: Backend, know: Know) -> Options {
    let options = match know {
        Know::Names => Options::bare(),
        Know::BuildIds => Options::bare().with_build_ids(BuildIds::Kernel),
        Know::All => Options::default(),
    };
    options.with_backend(backend)
}

pub(crate) fn trusting(options: Options) -> Options {
    options.with_trust(Trust::UntilInvalidated)
}

#[inline]
pub(crate) fn open(process: Process, options: &Options) -> Session {
    match process {
        Process::Myself => Session::open_self(options.clone()),
        Process::Child(pid) => Session::open(pid, options.clone()),
    }
    .expect("the process is there")
}

/// Makes a one-shot call for each batch in turn: all cached data is dropped before the next one.
/// The outcomes overwrite those of the previous call, as in the floor. With segments, file
/// offsets are also converted to virtual offsets.
pub(crate) fn one_shots<'b>(
    process: Process,
    batches: &'b [Vec<u64>],
    options: &Options,
) -> impl FnMut() -> u64 + use<'b> {
    let (mut batches, options) = (Rotation::of(batches), options.clone());
    let mut outcomes = Vec::new();
    move || {
        let mut session = open(process, &options);
        call(&mut session, batches.next(), &options, &mut outcomes)
    }
}

/// Makes a call of one session for each batch in turn; with segments, file offsets are also
/// converted to virtual offsets.
pub(crate) fn calls<'b>(
    mut session: Session,
    batches: &'b [Vec<u64>],
    options: &Options,
) -> impl FnMut() -> u64 + use<'b> {
    let (mut batches, options) = (Rotation::of(batches), options.clone());
    let mut outcomes = Vec::new();
    move || call(&mut session, batches.next(), &options, &mut outcomes)
}

#[inline]
fn call(
    session: &mut Session,
    addrs: &[u64],
    options: &Options,
    outcomes: &mut Vec<Outcome>,
) -> u64 {
    let addrs = AbsAddr::from_slice(addrs);
    session.normalize(addrs, outcomes).expect("it lives");
    if !options.segments {
        return session.modules().len() as u64;
    }
    let virt = |outcome: &Outcome| match *outcome {
        Outcome::Located {
            module,
            file_offset,
        } => {
            let module = &session.modules()[module.as_usize()].module;
            module.virt_offset_of(file_offset)
        }
        _ => None,
    };
    let virts = outcomes.iter().filter_map(virt);
    virts.fold(0, |sum, virt| sum ^ virt.0)
}

/// Returns the results of a session.
pub(crate) fn places(session: &mut Session, addrs: &[u64]) -> Vec<Option<Place>> {
    let mut outcomes = Vec::new();
    let addrs = AbsAddr::from_slice(addrs);
    session.normalize(addrs, &mut outcomes).expect("it lives");
    let place = |outcome| match outcome {
        Outcome::Located {
            module,
            file_offset,
        } => {
            let module = &session.modules()[module.as_usize()].module;
            Some((module.path.clone(), file_offset.0))
        }
        _ => None,
    };
    outcomes.into_iter().map(place).collect()
}
