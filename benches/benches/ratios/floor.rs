//! The least that a batch must do, by raw calls without allocation.
//!
//! It is given what it could not know: that the addresses are sorted, and room for
//! all that will come. It writes 16 bytes for each address, in a plain loop.

use std::ffi::CString;

use crate::process::{Place, Process};
use crate::raw::{Maps, Room, With};
use crate::target::Rotation;

/// Says that no VMA covers the address.
const NOWHERE: u64 = u64::MAX;

/// What is written for each address: 16 bytes, as ours writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The place of the VMA among those that were hit, or [`NOWHERE`].
    pub(crate) vma: u64,
    pub(crate) file_offset: u64,
}

/// Room for the answers of one batch, to be used again.
#[derive(Debug)]
pub(crate) struct Floor {
    maps: CString,
    with: With,
    pub(crate) answers: Vec<Answer>,
    rooms: Vec<Room>,
    known: Vec<Known>,
}

/// Where a VMA ends, and what turns its addresses into file offsets.
#[derive(Clone, Copy, Debug)]
struct Known {
    until: u64,
    to_offset: u64,
}

impl Floor {
    /// Makes room for `k` addresses in `m` VMAs and gaps.
    pub(crate) fn new(process: Process, with: With, k: usize, m: usize) -> Self {
        Self {
            maps: process.maps(),
            with,
            answers: vec![Answer::default(); k],
            rooms: vec![Room::EMPTY; m],
            known: Vec::new(),
        }
    }

    /// Opens the maps, asks one question for each VMA and gap that the sorted
    /// `addrs` lie in, and closes.
    #[inline]
    pub(crate) fn one_shot(&mut self, addrs: &[u64]) {
        let maps = Maps::open(&self.maps);
        self.batch(&maps, addrs);
    }

    /// Does so for each batch in turn.
    pub(crate) fn one_shots(mut self, batches: &[Vec<u64>]) -> impl FnMut() + use<'_> {
        let mut batches = Rotation::of(batches);
        move || self.one_shot(batches.next())
    }

    /// Does so for each batch in turn with maps that stay open.
    pub(crate) fn batches(mut self, batches: &[Vec<u64>]) -> impl FnMut() + use<'_> {
        let (maps, mut batches) = (Maps::open(&self.maps), Rotation::of(batches));
        move || self.batch(&maps, batches.next())
    }

    /// Asks with maps that are open already.
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

    /// Learns the VMAs that sorted addresses lie in.
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

    /// Answers for each batch in turn, whose VMAs it has learnt, without any question.
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

    /// Returns what the last batch, of `k` addresses, found. A VMA without a name
    /// is no place.
    pub(crate) fn places(&self, k: usize) -> Vec<Option<Place>> {
        let place = |answer: &Answer| {
            let name = self.rooms.get(usize::try_from(answer.vma).ok()?)?.name();
            (!name.is_empty()).then(|| (name.to_vec(), answer.file_offset))
        };
        self.answers[..k].iter().map(place).collect()
    }
}
