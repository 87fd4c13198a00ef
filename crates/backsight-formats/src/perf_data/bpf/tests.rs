//! Descriptions of BPF programs, made by hand.

use backsight_types::AbsAddr;
use backsight_types::trace::{BpfFunctionInfo, BpfLineInfo, BpfProgramInfo, BtfBlob};

use super::field;
use crate::flaws::Flaws;

fn programs(bytes: &[u8], big: bool) -> (Vec<BpfProgramInfo>, Vec<(&'static str, u64)>) {
    let mut flaws = Flaws::default();
    let found = super::programs(bytes, big, &mut flaws);
    (found, flaws.iter().collect())
}

const CUT: (&str, u64) = ("lists of BPF programs that are cut off", 1);
const DAMAGED: (&str, u64) = ("BPF programs whose functions or lines are damaged", 1);

/// A number of four or eight bytes.
enum Number {
    Word(u32),
    Long(u64),
}
use Number::{Long, Word};

fn bytes(big: bool, numbers: &[Number]) -> Vec<u8> {
    let one = |number: &Number| match (number, big) {
        (Word(word), true) => word.to_be_bytes().to_vec(),
        (Word(word), false) => word.to_le_bytes().to_vec(),
        (Long(long), true) => long.to_be_bytes().to_vec(),
        (Long(long), false) => long.to_le_bytes().to_vec(),
    };
    numbers.iter().flat_map(one).collect()
}

/// Two functions, and three lines; with this size of the structure.
fn info(big: bool, size: usize) -> Vec<u8> {
    let mut info = vec![0; size];
    info[field::TAG..field::TAG + 8].copy_from_slice(&[1; 8]);
    let fields = [
        (field::NR_JITED_KSYMS, Word(2)),
        (field::NR_JITED_FUNC_LENS, Word(2)),
        (field::JITED_KSYMS, Long(0)),
        (field::JITED_FUNC_LENS, Long(16)),
        (field::BTF_ID, Word(7)),
        (field::NR_LINE_INFO, Word(3)),
        (field::LINE_INFO, Long(40)),
        (field::JITED_LINE_INFO, Long(88)),
        (field::NR_JITED_LINE_INFO, Word(3)),
        (field::LINE_INFO_REC_SIZE, Word(16)),
        (field::JITED_LINE_INFO_REC_SIZE, Word(8)),
        (field::NR_PROG_TAGS, Word(2)),
        (field::PROG_TAGS, Long(24)),
    ];
    for (at, number) in fields {
        let number = bytes(big, &[number]);
        info[at..at + number.len()].copy_from_slice(&number);
    }
    info
}

fn data(big: bool) -> Vec<u8> {
    let mut data = bytes(big, &[Long(0x1000), Long(0x1040), Word(0x40), Word(0x20)]);
    data.extend([[1; 8], [2; 8]].concat());
    for (at, line) in [(0, 10), (1, 11), (2, 20)] {
        let line = [Word(at), Word(5), Word(6), Word(line << 10 | 3)];
        data.extend(bytes(big, &line));
    }
    data.extend(bytes(big, &[Long(0x1000), Long(0x1010), Long(0x1040)]));
    data
}

const ARRAYS: u64 = 0b1_1101_1000;

fn section(big: bool, arrays: u64, infos: &[Vec<u8>]) -> Vec<u8> {
    let count = u32::try_from(infos.len()).expect("few");
    let mut all = bytes(big, &[Word(count)]);
    for info in infos {
        let sizes = [info.len(), data(big).len()].map(|len| u32::try_from(len).expect("small"));
        all.extend(bytes(big, &[Word(sizes[0]), Word(sizes[1]), Long(arrays)]));
        all.extend(info);
        all.extend(data(big));
    }
    all
}

fn want() -> BpfProgramInfo {
    let function = |start, size, tag| BpfFunctionInfo {
        start: AbsAddr(start),
        size,
        tag: [tag; 8],
    };
    let line = |addr, line| BpfLineInfo {
        addr: AbsAddr(addr),
        file_name_offset: 5,
        line,
        column: 3,
    };
    BpfProgramInfo {
        tag: [1; 8],
        functions: vec![function(0x1000, 0x40, 1), function(0x1040, 0x20, 2)],
        lines: vec![line(0x1000, 10), line(0x1010, 11), line(0x1040, 20)],
        btf_id: 7,
    }
}

#[test]
fn programs_are_read_whatever_the_size_of_their_structure() {
    for big in [false, true] {
        // Of Linux 5.0, and of a kernel to come.
        let infos = [info(big, 192), info(big, 512)];
        let section = section(big, ARRAYS, &infos);
        assert_eq!(
            programs(&section, big),
            (vec![want(), want()], vec![]),
            "{big}"
        );
        // Cut off anywhere, what is whole counts.
        for len in 0..section.len() {
            let (found, flaws) = programs(&section[..len], big);
            assert_eq!(flaws, [CUT], "{len}");
            let first = 4 + 16 + 192 + data(big).len();
            assert_eq!(found.len(), usize::from(len >= first), "{len}");
        }
    }
}

#[test]
fn arrays_that_are_not_there_are_not_read() {
    let cases = [
        (ARRAYS & !(1 << 3), 0, 0),
        (ARRAYS & !(1 << 4), 0, 0),
        (ARRAYS & !(1 << 6), 2, 0),
        (ARRAYS & !(1 << 7), 2, 0),
        // Without tags there is that of the program.
        (ARRAYS & !(1 << 8), 1, 3),
    ];
    for (arrays, functions, lines) in cases {
        let (found, flaws) = programs(&section(false, arrays, &[info(false, 232)]), false);
        assert_eq!(flaws, [], "{arrays:b}");
        let counts = (found[0].functions.len(), found[0].lines.len());
        assert_eq!(counts, (functions, lines), "{arrays:b}");
    }
}

#[test]
fn hostile_numbers_lead_nowhere() {
    // What is not a number of an array, or not read.
    let harmless = |at: usize| {
        (at < field::NR_JITED_KSYMS) || (field::BTF_ID..field::NR_LINE_INFO).contains(&at)
    };
    for at in (field::TAG..192).step_by(4) {
        let mut hostile = info(false, 192);
        hostile[at..at + 4].fill(0xff);
        let (found, flaws) = programs(&section(false, ARRAYS, &[hostile]), false);
        let functions: usize = found.iter().map(|program| program.functions.len()).sum();
        assert!(functions <= 2, "{at}");
        assert_eq!(flaws.is_empty(), harmless(at), "{at}: {flaws:?}");
    }
    assert_eq!(programs(&[0xff; 64], false), (vec![], vec![CUT]));
    assert_eq!(programs(&[], false), (vec![], vec![CUT]));
    assert_eq!(programs(&[0; 4], false), (vec![], vec![]));
}

#[test]
fn numbers_that_contradict_each_other_are_damage() {
    for (at, count, functions, lines) in [
        // Fewer sizes or tags than functions.
        (field::NR_JITED_FUNC_LENS, 1, 1, 3),
        (field::NR_PROG_TAGS, 1, 1, 3),
        (field::NR_JITED_LINE_INFO, 2, 2, 0),
        (field::LINE_INFO_REC_SIZE, 8, 2, 0),
    ] {
        let mut odd = info(false, 232);
        odd[at..at + 4].copy_from_slice(&u32::to_le_bytes(count));
        let (found, flaws) = programs(&section(false, ARRAYS, &[odd]), false);
        let counts = (found[0].functions.len(), found[0].lines.len());
        assert_eq!((counts, flaws), ((functions, lines), vec![DAMAGED]), "{at}");
    }
}

#[test]
fn type_information_is_read_as_far_as_it_is_there() {
    for big in [false, true] {
        let mut section = bytes(big, &[Word(2), Word(7), Word(3)]);
        section.extend(b"abc");
        section.extend(bytes(big, &[Word(8), Word(1)]));
        section.extend(b"d");
        let blob = |id, bytes: &[u8]| BtfBlob {
            id,
            bytes: bytes.to_vec(),
        };
        let btf = |bytes| {
            let mut flaws = Flaws::default();
            let found = super::btf(bytes, big, &mut flaws);
            (found, flaws.iter().map(|(_, count)| count).sum::<u64>())
        };
        assert_eq!(btf(&section), (vec![blob(7, b"abc"), blob(8, b"d")], 0));
        assert_eq!(
            btf(&section[..section.len() - 1]),
            (vec![blob(7, b"abc")], 1)
        );
        assert_eq!(btf(&[]), (vec![], 1));
    }
}
