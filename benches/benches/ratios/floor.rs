//! The floor: the minimal work of a batch, by raw system calls without allocation.
//!
//! It is given information that a real program would not have: that the addresses are sorted,
//! and buffers of the right size. It writes 16 bytes for each address, in a simple loop.

use std::ffi::CString;

use crate::process::{Place, Process};
use crate::raw::{Maps, Room, With};
use crate::target::Rotation;

/// The value for an address without a VMA.
const NOWHERE: u64 = u64::MAX;

/// The output for each address: 16 bytes, like ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The index of the VMA among those found, or [`NOWHERE`].
    pub(crate) vma: u64,
    pub(crate) file_offset: u64,
}

/// Buffers for the results of a batch, which are reused.
#[derive(Debug)]
pub(crate) struct Floor {
    maps: CString,
    with: With,
    pub(crate) answers: Vec<Answer>,
    rooms: Vec<Room>,
    known: Vec<Known>,
}

/// The end of a VMA, and the difference between its addresses and file offsets.
#[derive(Clone, Copy, Debug)]
struct Known {
    until: u64,
    to_offset: u64,
}

impl Floor {
    /// Allocates buffers for `k` addresses in `m` VMAs and gaps.
    pub(crate) fn new(process: Process, with: With, k: usize, m: usize) -> Self {
        Self {
            maps: process.maps(),
            with,
            answers: vec![Answer::default(); k],
            rooms: vec![Room::EMPTY; m],
            known: Vec::new(),
        }
    }

    /// Opens the maps file, queries each VMA and gap that contains some of the sorted `addrs`,
    /// and closes it.
    #[inline]
    pub(crate) fn one_shot(&mut self, addrs: &[u64]) {
        let maps = Maps::open(&self.maps);
        self.batch(&maps, addrs);
    }

    /// Runs [`one_shot`](Self::one_shot) for each batch in turn.
    pub(crate) fn one_shots(mut self, batches: &[Vec<u64>]) -> impl FnMut() + use<'_> {
        let mut batches = Rotation::of(batches);
        move || self.one_shot(batches.next())
    }

    /// Processes each batch in turn with a maps file that stays open.
    pub(crate) fn batches(mut self, batches: &[Vec<u64>]) -> impl FnMut() + use<'_> {
        let (maps, mut batches) = (Maps::open(&self.maps), Rotation::of(batches));
        move || self.batch(&maps, batches.next())
    }

    /// Queries with an open maps file.
    #[inline]
    fn batch(&mut self, maps: &Maps, addrs: &[u64]) {
        let mut rooms = self.rooms.iter_mut().zip(0_u64..);
        let mut at = 0;
        while let Some(first) = addrs.get(at) {
            let (room, mut vma) = rooms.next().expect("no more VMAs than said");
            let (mut until, mut to_offset) = (u64::MAX, 0);
            match maps.ask(*first, 0, self.with, room) {
                Some(query) if query.vma_start <= *first => {
                    until = query.vma_end;
                    to_offset = query.vma_offset.wrapping_sub(query.vma_start);
                }
                Some(next) => (vma, until) = (NOWHERE, next.vma_start),
                None => vma = NOWHERE,
            }
            for (answer, addr) in self.answers[at..].iter_mut().zip(&addrs[at..]) {
                if *addr >= until {
                    break;
                }
                *answer = Answer {
                    vma,
                    file_offset: addr.wrapping_add(to_offset),
                };
                at += 1;
            }
        }
    }

    /// Caches the VMAs of sorted addresses.
    pub(crate) fn learn(&mut self, addrs: &[u64]) {
        let (maps, mut until) = (Maps::open(&self.maps), 0);
        for addr in addrs {
            if *addr < until {
                continue;
            }
            let vma = maps.ask(*addr, 0, self.with, &mut Room::EMPTY.clone());
            let vma = vma.expect("it is mapped");
            until = vma.vma_end;
            let to_offset = vma.vma_offset.wrapping_sub(vma.vma_start);
            self.known.push(Known { until, to_offset });
        }
    }

    /// Processes each batch in turn from cached VMAs, without queries.
    pub(crate) fn trusting(mut self, batches: &[Vec<u64>]) -> impl FnMut() + use<'_> {
        let mut batches = Rotation::of(batches);
        move || self.trusted(batches.next())
    }

    #[inline]
    fn trusted(&mut self, addrs: &[u64]) {
        let mut known = (0_u64..).zip(&self.known);
        let (mut vma, mut now) = (
            NOWHERE,
            Known {
                until: 0,
                to_offset: 0,
            },
        );
        for (answer, addr) in self.answers.iter_mut().zip(addrs) {
            while *addr >= now.until {
                let (nth, next) = known.next().expect("all are known");
                (vma, now) = (nth, *next);
            }
            *answer = Answer {
                vma,
                file_offset: addr.wrapping_add(now.to_offset),
            };
        }
    }

    /// Returns the results of the last batch, of `k` addresses. A VMA without a name gives none.
    pub(crate) fn places(&self, k: usize) -> Vec<Option<Place>> {
        let place = |answer: &Answer| {
            let name = self.rooms.get(usize::try_from(answer.vma).ok()?)?.name();
            (!name.is_empty()).then(|| (name.to_vec(), answer.file_offset))
        };
        self.answers[..k].iter().map(place).collect()
    }
}
