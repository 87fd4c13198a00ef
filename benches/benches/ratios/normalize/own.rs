//! The benchmark of the kernel patch series and of blazesym: three addresses in libc and two in
//! this program.

use backsight_normalize::{Backend, BuildIds};
use benches::race::{self, Race, Role, Sizes};

use crate::floor::Floor;
use crate::ours::{self, Know};
use crate::peers::{Blazesym, Usage};
use crate::process::{Process, Truth};
use crate::raw::With;

/// The number of VMAs that contain them.
const M: usize = 2;

const ME: Process = Process::Myself;

pub(super) fn addrs() -> [u64; 5] {
    let mut addrs = [
        libc::chdir as *const () as u64,
        libc::fopen as *const () as u64,
        libc::qsort as *const () as u64,
        n1 as *const () as u64,
        n2 as *const () as u64,
    ];
    addrs.sort_unstable();
    addrs
}

fn sizes() -> Sizes {
    Sizes {
        vmas: ME.vmas(),
        addresses: addrs().len(),
        touched: M,
    }
}

fn truth() -> Truth {
    let (addrs, mut truth) = (addrs(), Truth::default());
    let mut floor = Floor::new(ME, With::Name, addrs.len(), M);
    floor.one_shot(&addrs);
    truth.learn(&addrs, floor.places(addrs.len()));
    truth
}

fn blazesym(ioctl: bool, build_ids: bool, cached: bool) -> Result<Blazesym, String> {
    let usage = Usage {
        ioctl,
        sorted: true,
        build_ids,
        cached,
    };
    let peer = Blazesym::new(ME, usage);
    let addrs = addrs();
    truth().check("blazesym", &addrs, &peer.places(&addrs))?;
    Ok(peer)
}

/// One-shot.
pub(super) fn n1(rounds: u32) -> Result<Vec<race::Outcome>, String> {
    Ok(vec![
        n1_race(rounds, Know::Names)?,
        n1_race(rounds, Know::BuildIds)?,
    ])
}

fn n1_race(rounds: u32, know: Know) -> Result<race::Outcome, String> {
    let part = match know {
        Know::Names => "names, no build IDs, no virtual offsets",
        Know::BuildIds | Know::All => "names and build IDs",
    };
    let batches = [addrs().to_vec()];
    let addrs = &batches[0];
    let by_ioctl = ours::options(Backend::Ioctl, know);
    let with_offsets = ours::options(Backend::Ioctl, Know::All);
    // The text has no build IDs, so they are read from the files.
    let by_text = match know {
        Know::Names => ours::options(Backend::Text, know),
        Know::BuildIds | Know::All => {
            ours::options(Backend::Text, Know::Names).with_build_ids(BuildIds::File)
        }
    };
    for options in [&by_ioctl, &with_offsets, &by_text] {
        let places = ours::places(&mut ours::open(ME, options), addrs);
        truth().check("ours", addrs, &places)?;
    }
    let build_ids = know != Know::Names;
    let peer_ioctl = blazesym(true, build_ids, false)?;
    let peer_text = blazesym(false, build_ids, false)?;
    let floor = Floor::new(ME, know.asks(), addrs.len(), M);
    let one_shots = |options| ours::one_shots(ME, &batches, options);
    let race = Race::new("N1", part, sizes())
        .enter(Role::Floor, "floor", floor.one_shots(&batches))
        .enter(Role::Ours, "ours, ioctl", one_shots(&by_ioctl))
        .enter(Role::Peer, "blazesym, ioctl", peer_ioctl.runs(&batches))
        .enter(Role::Ours, "ours, text", one_shots(&by_text))
        .enter(Role::Peer, "blazesym, text", peer_text.runs(&batches));
    let race = match know {
        Know::BuildIds | Know::All => race.enter(
            Role::Ours,
            "ours, virtual offsets too",
            one_shots(&with_offsets),
        ),
        Know::Names => race
            .at_most(1.06, "ours, ioctl", "floor")
            .faster(1.5, "ours, ioctl", "blazesym, ioctl")
            .faster(5.5, "ours, ioctl", "blazesym, text"),
    };
    Ok(race.run(rounds))
}

/// A session that re-checks every VMA.
pub(super) fn n2(rounds: u32) -> Result<Vec<race::Outcome>, String> {
    let batches = [addrs().to_vec()];
    let addrs = &batches[0];
    let options = ours::options(Backend::Ioctl, Know::Names);
    let mut session = ours::open(ME, &options);
    for _ in 0..2 {
        truth().check("ours", addrs, &ours::places(&mut session, addrs))?;
    }
    let peer = blazesym(true, false, false)?;
    let floor = Floor::new(ME, With::Nothing, addrs.len(), M);
    let race = Race::new("N2", "names, no build IDs, no virtual offsets", sizes())
        .enter(Role::Floor, "floor", floor.batches(&batches))
        .enter(Role::Ours, "ours", ours::calls(session, &batches, &options))
        .enter(Role::Peer, "blazesym, ioctl", peer.runs(&batches))
        .at_most(1.06, "ours", "floor")
        .faster(6.0, "ours", "blazesym, ioctl");
    Ok(vec![race.run(rounds)])
}

/// The same with build IDs.
pub(super) fn n3(rounds: u32) -> Result<Vec<race::Outcome>, String> {
    let batches = [addrs().to_vec()];
    let addrs = &batches[0];
    let session = |know| {
        let options = ours::options(Backend::Ioctl, know);
        let mut session = ours::open(ME, &options);
        truth().check("ours", addrs, &ours::places(&mut session, addrs))?;
        let mut modules = session.modules().iter();
        if know != Know::Names && modules.any(|it| it.module.build_id.is_none()) {
            return Err("a module has no build ID".to_owned());
        }
        Ok(ours::calls(session, &batches, &options))
    };
    let [peer, cached] = [false, true].map(|cached| blazesym(true, true, cached));
    let floor = Floor::new(ME, With::Nothing, addrs.len(), M);
    let race = Race::new("N3", "a session that has learnt the build IDs", sizes())
        .enter(Role::Floor, "floor", floor.batches(&batches))
        .enter(Role::Ours, "ours, with build IDs", session(Know::BuildIds)?)
        .enter(Role::Ours, "ours, without (N2)", session(Know::Names)?)
        .enter(Role::Ours, "ours, virtual offsets too", session(Know::All)?)
        .enter(Role::Peer, "blazesym, ioctl", peer?.runs(&batches))
        .enter(
            Role::Peer,
            "blazesym, ioctl, cached",
            cached?.runs(&batches),
        )
        .at_most(1.05, "ours, with build IDs", "ours, without (N2)")
        .faster(12.0, "ours, with build IDs", "blazesym, ioctl");
    Ok(vec![race.run(rounds)])
}
