//! Events made by the test give the same profile as a recording with the same events.

use backsight::types::trace::{
    ByteOrder, Event, EventType, Facts, Mmap, ProcessChange, ProcessRecord, SampleRecord,
    ThreadChange, ThreadRecord, marker,
};
use backsight::types::{AbsAddr, AbsRange, Perms};
use backsight::{ModuleFiles, PerfData, Profile, ProfileBuilder, RecordingOptions};
use testkit::perf_file::{self, PerfFile, USER, sample};

const PID: u32 = 42;
const ID: u64 = 7;
const CODE: (u64, u64) = (0x10_0000, 0x2000);
/// The times and addresses of mappings and samples.
const MAPS: [(u64, &str); 2] = [(0, "/nowhere/first"), (150, "/nowhere/second")];
const SAMPLES: [(u64, [u64; 2]); 3] = [
    (100, [0x10_0010, 0x10_0100]),
    (120, [0x10_0010, 0x10_0100]),
    (200, [0x10_0010, 0x90_0000]),
];

fn recorded() -> Profile {
    let event = perf_file::Event {
        name: "cycles",
        period: 1000,
        sample_type: sample::IDENTIFIER
            | sample::IP
            | sample::TID
            | sample::TIME
            | sample::CALLCHAIN,
        ids: vec![ID],
        ..perf_file::Event::default()
    };
    let mut file = PerfFile::new(false, &[event]);
    file.comm(PID, PID, "agent", ID);
    for (time, path) in MAPS {
        file.record(1, USER, |at| {
            let (start, size) = CODE;
            at.u32(PID).u32(PID).words(&[start, size, 0]).text(path);
            at.trailer(PID, PID, time, ID);
        });
    }
    for (time, chain) in SAMPLES {
        file.record(9, USER, |at| {
            at.words(&[ID, chain[0]]).u32(PID).u32(PID).words(&[time]);
            at.words(&[3, marker::USER, chain[0], chain[1]]);
        });
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("perf.data");
    std::fs::write(&path, file.file()).unwrap();
    let options = RecordingOptions::default();
    let read = PerfData::of_file(&path, options, ModuleFiles::default()).unwrap();
    let finished = read.finish();
    assert!(finished.problems.is_empty(), "{:?}", finished.problems);
    finished.profile
}

fn made_by_hand(order: ByteOrder) -> Profile {
    let mut facts = Facts::default();
    let mut cycles = EventType::new("cycles");
    cycles.period = Some(1000);
    facts.events.push(cycles);
    let (options, files) = (RecordingOptions::default(), ModuleFiles::default());
    let mut builder = ProfileBuilder::new(&facts, options, files).unwrap();

    let named = ThreadChange::Named(b"agent".to_vec());
    let mut events = vec![(
        0,
        Event::Thread(ThreadRecord {
            time_ns: 0,
            pid: PID,
            tid: PID,
            change: named,
        }),
    )];
    for (time_ns, path) in MAPS {
        let (start, size) = CODE;
        let mapped = Mmap {
            range: AbsRange {
                start: AbsAddr(start),
                end: AbsAddr(start + size),
            },
            perms: Perms::READ | Perms::EXECUTE,
            name: path.into(),
            ..Mmap::default()
        };
        let change = ProcessChange::Mmap(mapped);
        let pid = PID;
        let record = ProcessRecord {
            time_ns,
            pid,
            change,
        };
        events.push((time_ns, Event::Process(record)));
    }
    let bytes = |word: u64| match order {
        ByteOrder::Little => word.to_le_bytes(),
        ByteOrder::Big => word.to_be_bytes(),
    };
    let chains =
        SAMPLES.map(|(_, [leaf, caller])| [marker::USER, leaf, caller].map(bytes).concat());
    for ((time, [leaf, _]), chain) in SAMPLES.iter().zip(&chains) {
        let mut sample = SampleRecord::new(PID, PID).with_chain(chain, order);
        sample.time_ns = Some(*time);
        sample.pc = Some(AbsAddr(*leaf));
        sample.period = 1000;
        events.push((*time, Event::Sample(sample)));
    }
    events.sort_by_key(|(time, _)| *time);
    for (_, event) in events {
        assert!(!builder.take(event), "so few are no piece");
    }
    let finished = builder.finish(&facts);
    assert!(finished.problems.is_empty(), "{:?}", finished.problems);
    finished.profile
}

#[test]
fn events_by_hand_give_the_profile_of_a_recording() {
    let recorded = recorded();
    assert_eq!(recorded.samples.len(), SAMPLES.len());
    let modules: Vec<_> = recorded.modules.iter().map(|it| it.path_lossy()).collect();
    assert_eq!(modules, MAPS.map(|(_, path)| path));
    for order in [ByteOrder::Little, ByteOrder::Big] {
        assert_eq!(made_by_hand(order), recorded, "{order:?}");
    }
}
