//! Damaged and forged traces.

use backsight_formats::perfetto::{self, Limits};
use testkit::perfetto::{Field, Message, callstack, fields, packet, trace};

use super::{compressed, read, samples};

#[test]
fn damage_loses_nothing_else_and_is_said() {
    let bytes = trace(&samples());
    let (whole, _) = read(&bytes);
    let mut last = 0;
    for cut in 1..bytes.len() {
        let Ok((profile, flaws)) = perfetto::read(&bytes[..cut], &Limits::default()) else {
            continue;
        };
        // A trace that ends between two packets is a whole one.
        let between = (0..=samples().len()).any(|n| trace(&samples()[..n]).len() == cut);
        assert_eq!(flaws.iter().count() > 0, !between, "{cut}");
        assert!(profile.samples.len() >= last, "{cut}");
        last = profile.samples.len();
    }
    assert_eq!(last, whole.samples.len());
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << bit;
            if let Ok((profile, _)) = perfetto::read(&bytes[..], &Limits::default()) {
                assert!(profile.samples.len() <= 8 * whole.samples.len());
            }
        }
    }
}

#[test]
fn bombs_and_forged_lengths_stay_within_the_limit() {
    let limits = Limits::default().with_memory(1 << 20);
    let zeros = Message::default().bytes(1, vec![0; 64 << 20]);
    let bomb = trace(&[compressed(&[zeros])]);
    assert!(bomb.len() < 1 << 20);
    let long = [&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f, 0x40, 1][..]].concat();
    // Each sample of four bytes takes a row of 64.
    let mut many = samples();
    let ids: Vec<u64> = vec![1; 1 << 16];
    let list = callstack(0, &ids, true);
    let stacks = fields(list.as_ref()).swap_remove(1).1;
    let Field::Bytes(stacks) = stacks else {
        panic!("packed");
    };
    many.push(packet(1, 1).bytes(54, Message::default().bytes(1, stacks)));
    for (name, bytes) in [("bomb", bomb), ("samples", trace(&many))] {
        let read = perfetto::read(&bytes[..], &limits);
        let error = read.expect_err(name).to_string();
        assert!(error.contains("1048576 bytes of memory"), "{name}: {error}");
    }
    let (_, flaws) = perfetto::read(&long[..], &limits).expect("cut off");
    assert_eq!(flaws.iter().count(), 1);
    for other in [&b""[..], b"\x0a\x04\x08\x01\x10\x02", b"a;b 1\n"] {
        let error = perfetto::read(other, &limits).expect_err("none");
        assert!(
            matches!(error, perfetto::Error::Malformed { .. }),
            "{error}"
        );
    }
}
