//! Call stacks in branch stacks, compared with `perf script`.

use testkit::perf_file::{Event, KERNEL, PerfFile, USER, sample};

use super::{USUAL, cycles, every_way, of_perf};

const KERNEL_MARK: u64 = -128_i64 as u64;
const USER_MARK: u64 = -512_i64 as u64;

const OF_USER: u64 = 1;
const ANY: u64 = 1 << 3;
const CALL_STACK: u64 = 1 << 11;
const HW_INDEX: u64 = 1 << 17;
const COUNTERS: u64 = 1 << 19;

/// main calls middle, and middle calls leaf: source and target addresses.
const CALLS: [(u64, u64); 3] = [
    (0x40_2010, 0x40_3000),
    (0x40_1010, 0x40_2000),
    (0x40_0010, 0x40_1000),
];

fn write(big: bool, branch_type: u64, calls: &[(u64, u64)]) -> PerfFile {
    let event = Event {
        branch_type,
        sample_type: USUAL | sample::BRANCH_STACK,
        ..cycles(&[1])
    };
    let mut file = PerfFile::new(big, &[event]);
    let chains: [(u16, &[u64]); 4] = [
        // Unwinding with frame pointers lost the second frame.
        (USER, &[USER_MARK, 0x40_3008, 0x40_2014]),
        (
            KERNEL,
            &[KERNEL_MARK, 0xffff_ffff_8100_0000, USER_MARK, 0x40_3008],
        ),
        // A kernel thread, which has no user part.
        (KERNEL, &[KERNEL_MARK, 0xffff_ffff_8100_0000]),
        (USER, &[USER_MARK]),
    ];
    for (at, (mode, chain)) in chains.iter().enumerate() {
        file.record(9, *mode, |bytes| {
            bytes
                .words(&[1, 0x40_3008])
                .u32(7)
                .u32(7)
                .words(&[at as u64 + 10, 1000]);
            bytes.words(&[chain.len() as u64]).words(chain);
            bytes.words(&[calls.len() as u64]);
            if branch_type & HW_INDEX != 0 {
                bytes.u64(u64::MAX);
            }
            for (from, to) in calls {
                bytes.words(&[*from, *to, 0]);
            }
            if branch_type & COUNTERS != 0 {
                bytes.words(&vec![3; calls.len()]);
            }
        });
    }
    file
}

/// Returns the addresses of each sample, as printed by perf.
fn theirs(file: &PerfFile) -> Option<Vec<String>> {
    let lines = of_perf(&file.file(), &["-F", "time,ip"])?;
    let mut samples: Vec<Vec<String>> = Vec::new();
    for line in lines {
        match samples.last_mut() {
            _ if line.contains('.') => samples.push(Vec::new()),
            Some(sample) => sample.push(line),
            None => panic!("{line} before all"),
        }
    }
    Some(samples.iter().map(|addrs| addrs.join(" ")).collect())
}

fn ours(samples: &[String]) -> Vec<String> {
    let addrs = |line: &String| {
        let (_, chain) = line.split_once(": 1000 ").unwrap();
        let marks = |c: char| matches!(c, 'u' | 'k' | 'r');
        let addrs = chain.split(' ').map(|addr| addr.trim_end_matches(marks));
        addrs.collect::<Vec<_>>().join(" ")
    };
    samples.iter().map(addrs).collect()
}

#[test]
fn a_stack_of_calls_takes_the_place_of_the_user_s_chain() {
    let kernel = "ffffffff81000000k";
    let stack = "403000u 402010u 401010u 400010u";
    let more = [0, HW_INDEX, COUNTERS, HW_INDEX | COUNTERS];
    for more in more {
        let branch_type = OF_USER | CALL_STACK | more;
        let (samples, said) = every_way(|big| write(big, branch_type, &CALLS));
        let of = |time: u64, chain: &str| format!("7/7 Some({time}) 0: 1000 {chain}");
        let want = [
            of(10, stack),
            of(11, &format!("{kernel} {stack}")),
            of(12, kernel),
            of(13, stack),
        ];
        assert_eq!(samples, want, "{branch_type:#x}");
        assert_eq!(said, [""; 0]);
        let Some(theirs) = theirs(&write(false, branch_type, &CALLS)) else {
            return;
        };
        assert_eq!(ours(&samples), theirs, "{branch_type:#x}");
    }
}

#[test]
fn other_branches_leave_the_chain_as_it_is() {
    for (branch_type, calls) in [(OF_USER | ANY, &CALLS[..]), (OF_USER | CALL_STACK, &[])] {
        let (samples, _) = every_way(|big| write(big, branch_type, calls));
        assert!(samples[0].ends_with("403008u 402014ur"), "{samples:?}");
        assert!(
            samples[1].ends_with("ffffffff81000000k 403008u"),
            "{samples:?}"
        );
        if calls.is_empty() {
            // perf 6.1 reads the first entry even if there is none.
            continue;
        }
        let Some(theirs) = theirs(&write(false, branch_type, calls)) else {
            return;
        };
        assert_eq!(ours(&samples)[..3], theirs[..3], "{branch_type:#x}");
    }
}
