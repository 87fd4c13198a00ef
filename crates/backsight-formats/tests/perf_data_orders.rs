//! The same recording in both byte orders.
//!
//! `perf` writes in the byte order of its machine. The big-endian recording is written by hand,
//! following the descriptions of records by the kernel and perf, and must give the same result as
//! the little-endian one.

use std::io::Cursor;

use backsight_formats::perf_data::Reader;
use backsight_types::trace::Event;

/// The fields of samples: IP, TID, TIME, CALLCHAIN, CPU, PERIOD, REGS_USER, STACK_USER.
const SAMPLE_TYPE: u64 = 1 | 1 << 1 | 1 << 2 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 12 | 1 << 13;

/// Registers 0 and 7.
const REGISTERS: u64 = 1 | 1 << 7;

const USER: u16 = 2;

struct Writer {
    big: bool,
    bytes: Vec<u8>,
}

impl Writer {
    fn number<const SIZE: usize>(&mut self, little: [u8; SIZE]) -> &mut Self {
        if self.big {
            self.bytes.extend(little.iter().rev());
        } else {
            self.bytes.extend(little);
        }
        self
    }

    fn u16(&mut self, value: u16) -> &mut Self {
        self.number(value.to_le_bytes())
    }

    fn u32(&mut self, value: u32) -> &mut Self {
        self.number(value.to_le_bytes())
    }

    fn u64(&mut self, value: u64) -> &mut Self {
        self.number(value.to_le_bytes())
    }

    /// Writes a text with at least one zero byte after it, padded to a multiple of eight bytes.
    fn text(&mut self, text: &str) -> &mut Self {
        self.bytes.extend(text.as_bytes());
        let missing = 8 - text.len() % 8;
        self.bytes.extend(vec![0; missing]);
        self
    }

    /// Writes a record that is not a sample, with its trailer.
    fn record(&mut self, kind: u32, misc: u16, time: u64, body: impl FnOnce(&mut Self)) {
        let begin = self.bytes.len();
        self.u32(kind).u16(misc).u16(0);
        body(self);
        if kind != 9 {
            self.u32(7).u32(8).u64(time).u32(3).u32(0);
        }
        let size = u16::try_from(self.bytes.len() - begin).unwrap();
        let size = if self.big {
            size.to_be_bytes()
        } else {
            size.to_le_bytes()
        };
        self.bytes[begin + 6..begin + 8].copy_from_slice(&size);
    }
}

fn recording(big: bool) -> Vec<u8> {
    let mut records = Writer {
        big,
        bytes: Vec::new(),
    };
    records.record(3, 1 << 13, 10, |at| {
        at.u32(7).u32(7).text("program");
    });
    records.record(10, USER, 20, |at| {
        at.u32(7).u32(7).u64(0x40_0000).u64(0x2000).u64(0x1000);
        at.u32(8).u32(1).u64(0x1_0000_0002).u64(0);
        at.u32(5).u32(2).text("/usr/bin/program");
    });
    records.record(7, 0, 30, |at| {
        at.u32(7).u32(7).u32(8).u32(7).u64(30);
    });
    records.record(9, USER, 40, |at| {
        at.u64(0x40_0123).u32(7).u32(8).u64(40).u32(3).u32(0);
        at.u64(1_000_000);
        at.u64(3).u64(u64::MAX - 511).u64(0x40_0123).u64(0x40_1456);
        at.u64(2).u64(0xaaaa_bbbb_cccc_dddd).u64(0x7fff_0000);
        at.u64(16).u64(0x1122_3344_5566_7788).u64(0x40_1999).u64(16);
    });
    records.record(2, 0, 50, |at| {
        at.u64(0).u64(5);
    });
    records.record(4, 0, 60, |at| {
        at.u32(7).u32(7).u32(8).u32(7).u64(60);
    });

    let attr_size = 112 + 16;
    let mut file = Writer {
        big,
        bytes: Vec::new(),
    };
    file.number(*b"PERFILE2").u64(104).u64(attr_size);
    file.u64(104).u64(attr_size);
    file.u64(104 + attr_size).u64(records.bytes.len() as u64);
    file.u64(0).u64(0);
    for _ in 0..4 {
        file.u64(0);
    }
    // The software clock, with `sample_id_all`. Bit fields are allocated from the highest bit in
    // big-endian files.
    let flags: u64 = 1 << 18;
    let flags = if big { flags.reverse_bits() } else { flags };
    file.u32(1)
        .u32(112)
        .u64(0)
        .u64(1_000_000)
        .u64(SAMPLE_TYPE)
        .u64(0)
        .u64(flags);
    file.u64(0)
        .u64(0)
        .u64(0)
        .u64(0)
        .u64(REGISTERS)
        .u32(16)
        .u32(0);
    file.u64(0).u32(0).u32(0);
    // No IDs.
    file.u64(0).u64(0);
    file.bytes.extend(records.bytes);
    file.bytes
}

fn events<R: std::io::Read>(mut reader: Reader<R>) -> Vec<String> {
    let mut seen = Vec::new();
    while let Some(event) = reader.next() {
        seen.push(match event {
            Event::Sample(sample) => {
                let user = sample.user.expect("registers and a stack");
                let chain: Vec<_> = sample.chain().collect();
                let registers = [0, 1, 7].map(|number| user.register(number));
                let words = [0x7fff_0000, 0x7fff_0008, 0x7fff_0010];
                let words = words.map(|addr| user.word(0x7fff_0000, addr));
                format!(
                    "{:?} {} {} {:?} {} {:?} {chain:x?} {registers:x?} {words:x?}",
                    sample.time_ns, sample.pid, sample.tid, sample.cpu, sample.period, sample.pc
                )
            }
            other => format!("{other:?}"),
        });
    }
    assert!(reader.problems().is_empty(), "{:?}", reader.problems());
    seen
}

#[test]
fn both_byte_orders_say_the_same() {
    let [little, big] = [false, true].map(|big| {
        let file = recording(big);
        let seen = events(Reader::open(Cursor::new(&file)).expect("a recording"));
        let streamed = events(Reader::stream(&file[..]).expect("a recording"));
        assert_eq!(seen, streamed);
        seen
    });
    assert_eq!(little, big);
    let all = little.join("\n");
    for part in [
        "Named([112, 114, 111, 103, 114, 97, 109])",
        "FileOffset(0x1000)",
        "inode: 4294967298",
        "Some(40) 7 8 Some(3) 1000000 Some(AbsAddr(0x400123))",
        "AbsAddr(0x401456), lookup: Return",
        "[Some(aaaabbbbccccdddd), None, Some(7fff0000)]",
        "[Some(1122334455667788), Some(401999), None]",
        "Ended",
    ] {
        assert!(all.contains(part), "{part} is not in\n{all}");
    }
}
