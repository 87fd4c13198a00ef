//! Normalization: addresses of a process to files and offsets.

use std::hint::black_box;

use backsight_normalize::{Backend, Options, Session};
use backsight_types::{AbsAddr, Outcome};
use benches::command::Row;
use benches::race::{self, Race, Role, Sizes};

use crate::floor::Floor;
use crate::peers::{Blazesym, Place};

pub(crate) const ROWS: &[Row] = &[Row {
    id: "N1",
    measures: "one-shot: 5 sorted addresses of this process; open, query, close",
    run: n1,
}];

/// How many addresses, and how many VMAs they lie in.
const K: usize = 5;
const M: usize = 2;

/// The benchmark of the kernel patch series, and of blazesym.
fn n1(rounds: u32) -> Result<Vec<race::Outcome>, String> {
    let mut addrs = [
        libc::chdir as *const () as u64,
        libc::fopen as *const () as u64,
        libc::qsort as *const () as u64,
        n1 as *const () as u64,
        own as *const () as u64,
    ];
    addrs.sort_unstable();
    Ok(vec![
        n1_race(rounds, &addrs, false)?,
        n1_race(rounds, &addrs, true)?,
    ])
}

fn n1_race(rounds: u32, addrs: &[u64; K], full: bool) -> Result<race::Outcome, String> {
    let part = match full {
        false => "names, no build IDs, no virtual offsets",
        true => "names and build IDs; ours also virtual offsets, which the others do not give",
    };
    let mut floor = Floor::<K, M>::new(full);
    let (by_ioctl, by_text) = (ours(Backend::Ioctl, full), ours(Backend::Text, full));
    let (peer_ioctl, peer_text) = (Blazesym::new(true, full), Blazesym::new(false, full));

    floor.run(addrs);
    let of_floor = |place| {
        Some((
            floor.name_of(place).to_vec(),
            floor.answers[place].file_offset,
        ))
    };
    let want: Vec<Option<Place>> = (0..K).map(of_floor).collect();
    for (name, places) in [
        ("ours, ioctl", places(addrs, &by_ioctl)),
        ("ours, text", places(addrs, &by_text)),
        ("blazesym, ioctl", peer_ioctl.places(addrs)),
        ("blazesym, text", peer_text.places(addrs)),
    ] {
        if places != want {
            return Err(format!("{name} says {places:x?}, the floor {want:x?}"));
        }
    }

    let sizes = Sizes {
        vmas: vma_query::ProcMaps::open_self()
            .map_err(|error| error.to_string())?
            .vmas()
            .count(),
        addresses: K,
        touched: M,
    };
    let (mut outcomes_ioctl, mut outcomes_text) = (Vec::new(), Vec::new());
    let race = Race::new("N1", part, sizes)
        .enter(Role::Floor, "floor", || floor.run(black_box(addrs)))
        .enter(Role::Ours, "ours, ioctl", || {
            own(black_box(addrs), &by_ioctl, &mut outcomes_ioctl)
        })
        .enter(Role::Peer, "blazesym, ioctl", || {
            peer_ioctl.run(black_box(addrs))
        })
        .enter(Role::Ours, "ours, text", || {
            own(black_box(addrs), &by_text, &mut outcomes_text)
        })
        .enter(Role::Peer, "blazesym, text", || {
            peer_text.run(black_box(addrs))
        });
    let race = match full {
        true => race,
        false => race
            .at_most(1.06, "ours, ioctl", "floor")
            .faster(1.5, "ours, ioctl", "blazesym, ioctl")
            .faster(5.5, "ours, ioctl", "blazesym, text"),
    };
    Ok(race.run(rounds))
}

fn ours(backend: Backend, full: bool) -> Options {
    let options = if full {
        Options::default()
    } else {
        Options::bare()
    };
    Options { backend, ..options }
}

/// One call of ours, all of it: what it learns is dropped before the next. The
/// outcomes go where the caller says, as those of the floor do. With segments it
/// turns file offsets into virtual offsets too.
fn own(addrs: &[u64; K], options: &Options, outcomes: &mut Vec<Outcome>) -> u64 {
    let session = one_shot(addrs, options, outcomes);
    let virt = |outcome: &Outcome| match *outcome {
        Outcome::Located {
            module,
            file_offset,
        } => {
            let module = &session.modules()[module.as_usize()].module;
            module.virt_offset_of(file_offset)
        }
        Outcome::Unresolved(_) => None,
    };
    match options.segments {
        true => outcomes
            .iter()
            .filter_map(virt)
            .fold(0, |sum, virt| sum ^ virt.0),
        false => session.modules().len() as u64,
    }
}

#[inline]
fn one_shot(addrs: &[u64; K], options: &Options, outcomes: &mut Vec<Outcome>) -> Session {
    let mut session = Session::open_self(options.clone()).expect("we run");
    let addrs = AbsAddr::from_slice(addrs);
    session.normalize(addrs, outcomes).expect("we run");
    session
}

fn places(addrs: &[u64; K], options: &Options) -> Vec<Option<Place>> {
    let mut outcomes = Vec::new();
    let session = one_shot(addrs, options, &mut outcomes);
    let place = |outcome| match outcome {
        Outcome::Located {
            module,
            file_offset,
        } => {
            let module = &session.modules()[module.as_usize()].module;
            Some((module.path.clone(), file_offset.0))
        }
        Outcome::Unresolved(_) => None,
    };
    outcomes.into_iter().map(place).collect()
}
