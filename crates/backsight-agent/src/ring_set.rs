//! The buffers of all processors, and the events that are written to them.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;

use crate::attr::EventAttr;
use crate::error::{SamplingError, errno};
use crate::sys::{EventFd, MappedRing, Whom};

/// An event that was opened, on one processor.
#[derive(Debug)]
pub(crate) struct OpenEvent {
    pub(crate) fd: EventFd,
    /// The index of its attribute.
    pub(crate) attr: usize,
}

/// A processor: the first event that was opened on it has the buffer.
#[derive(Debug)]
struct Processor {
    cpu: u32,
    ring: MappedRing,
    events: Vec<OpenEvent>,
}

/// The buffers of all processors.
#[derive(Debug, Default)]
pub(crate) struct RingSet {
    processors: Vec<Processor>,
    /// The size of each buffer in pages; halved until the kernel gives it.
    pages: usize,
    page_size: usize,
}

/// With fewer pages, a burst of samples does not fit.
const MIN_PAGES: usize = 4;

impl RingSet {
    pub(crate) fn new(pages: usize, page_size: usize) -> Self {
        Self {
            processors: Vec::new(),
            pages,
            page_size,
        }
    }

    /// Adds an event on a processor.
    pub(crate) fn open(
        &mut self,
        attr: &EventAttr,
        index: usize,
        whom: Whom<'_>,
        cpu: u32,
    ) -> io::Result<()> {
        let fd = EventFd::open(attr, whom, cpu)?;
        let event = OpenEvent { fd, attr: index };
        let known = self.processors.iter_mut().find(|it| it.cpu == cpu);
        if let Some(processor) = known {
            if let Some(first) = processor.events.first() {
                event.fd.write_to(&first.fd)?;
            }
            processor.events.push(event);
            return Ok(());
        }
        let ring = self.map(&event.fd)?;
        self.processors.push(Processor {
            cpu,
            ring,
            events: vec![event],
        });
        Ok(())
    }

    /// Maps a buffer, smaller if the user may not lock as much memory
    /// (`kernel.perf_event_mlock_kb`).
    fn map(&mut self, event: &EventFd) -> io::Result<MappedRing> {
        loop {
            match MappedRing::new(event, self.pages, self.page_size) {
                Err(error) if errno(&error) == Some(Errno::EPERM) && self.pages > MIN_PAGES => {
                    self.pages /= 2;
                }
                done => return done,
            }
        }
    }

    /// Returns the number of events, and of processors.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let events = self.processors.iter().map(|it| it.events.len()).sum();
        (events, self.processors.len())
    }

    /// Returns the size of all buffers, in bytes.
    pub(crate) fn size(&self) -> usize {
        let each = self.pages.saturating_mul(self.page_size);
        each.saturating_mul(self.processors.len())
    }

    fn events(&self) -> impl Iterator<Item = &OpenEvent> {
        self.processors.iter().flat_map(|it| &it.events)
    }

    /// Returns the numbers by which records name the events of this attribute.
    pub(crate) fn ids(&self, attr: usize) -> Result<Vec<u64>, SamplingError> {
        let of = self.events().filter(|event| event.attr == attr);
        let ids = of.map(|event| event.fd.id());
        let ids: io::Result<Vec<u64>> = ids.collect();
        ids.map_err(SamplingError::io("read the number of an event"))
    }

    /// Starts all events.
    pub(crate) fn enable(&self) -> io::Result<()> {
        self.events().try_for_each(|event| event.fd.enable())
    }

    /// Stops all events. Those whose threads have ended are stopped already.
    pub(crate) fn disable(&self) {
        for event in self.events() {
            let _ = event.fd.disable();
        }
    }

    /// Appends all records that were written, and returns the number of bytes.
    pub(crate) fn drain(&mut self, out: &mut Vec<u8>) -> usize {
        let rings = self.processors.iter_mut();
        rings.map(|it| it.ring.drain(out)).sum()
    }

    /// Returns the descriptors that become readable when a buffer is filled to a part.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let first = self.processors.iter().filter_map(|it| it.events.first());
        first.map(|event| event.fd.as_fd())
    }
}
