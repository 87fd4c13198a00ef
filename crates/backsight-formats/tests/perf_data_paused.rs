//! A recording in progress: its input has nothing to read for the moment, again and again.

use std::io::{self, ErrorKind, Read};

use backsight_formats::perf_data::Reader;
use testkit::perf_file::{Event, PerfFile, USER, sample};

/// Yields pieces, and fails with `WouldBlock` after each.
struct InPieces {
    pieces: Vec<Vec<u8>>,
    is_due: bool,
}

impl Read for InPieces {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if std::mem::take(&mut self.is_due) {
            return Err(ErrorKind::WouldBlock.into());
        }
        let Some(piece) = self.pieces.first_mut() else {
            return Ok(0);
        };
        let count = piece.as_slice().read(room)?;
        piece.drain(..count);
        if piece.is_empty() {
            self.pieces.remove(0);
            self.is_due = true;
        }
        Ok(count)
    }
}

/// Two rounds of samples, a process and a mapping; the second round has an earlier time.
fn recording() -> PerfFile {
    const FINISHED_ROUND: u32 = 68;
    let event = Event {
        name: "cpu-clock",
        kind: 1,
        period: 100,
        sample_type: sample::IP | sample::TID | sample::TIME | sample::IDENTIFIER,
        ids: vec![7],
        ..Event::default()
    };
    let mut file = PerfFile::new(cfg!(target_endian = "big"), &[event]);
    file.comm(5, 5, "a", 7).map(5, 0x1000, 0x1000, "/bin/a", 7);
    for times in [[10_u64, 30], [20, 40], [50, 45]] {
        for time in times {
            file.record(9, USER, |at| {
                at.words(&[7, 0x1000 + time]).u32(5).u32(5).u64(time);
            });
        }
        file.record(FINISHED_ROUND, 0, |_| ());
    }
    file
}

fn events<R: Read>(reader: &mut Reader<R>, pauses: &mut usize) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let event = reader.next().map(|event| format!("{event:?}"));
        match event {
            Some(event) => all.push(event),
            None if reader.is_paused() => *pauses += 1,
            None => return all,
        }
    }
}

#[test]
fn a_recording_in_progress_gives_the_events_of_the_whole() {
    let file = recording();
    let whole = file.pipe();
    let mut pauses = 0;
    let want = events(&mut Reader::stream(&whole[..]).unwrap(), &mut pauses);
    assert_eq!((want.len(), pauses), (8, 0));
    // What precedes the records must be there at first.
    let front = whole.len() - file.records().len();
    for size in [1, 3, 8, 24, 64, 100, 1000] {
        let (front, records) = whole.split_at(front);
        let mut pieces = vec![front.to_vec()];
        pieces.extend(records.chunks(size).map(<[u8]>::to_vec));
        let count = pieces.len();
        let is_due = false;
        let mut reader = Reader::stream(InPieces { pieces, is_due }).unwrap();
        let mut pauses = 0;
        assert_eq!(events(&mut reader, &mut pauses), want, "{size}");
        // Opening it has used one.
        assert_eq!(pauses, count - 1, "{size}");
        assert!(reader.problems().ends.is_empty(), "{size}");
    }
}
