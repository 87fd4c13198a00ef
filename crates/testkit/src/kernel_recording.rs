//! Recordings of the kernel that [`kernel_tree`](crate::kernel_tree) describes.

use crate::kernel_tree::{BPF, BPF_NAME, IMAGE_ID, MODULE, MODULE_ID, RELEASE, TEXT};
use crate::perf_file::{Event, KERNEL, PerfFile, sample};

/// The host where it was recorded.
pub const HOSTNAME: &str = "recorder";

/// What a recording has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The build IDs of the image and of the module.
    pub has_build_ids: bool,
    /// Whether it was written to a pipe.
    pub is_pipe: bool,
    /// How much further the kernel was moved than the tree says.
    pub moved: u64,
}

/// A recording with build IDs, as a file and as a pipe; one without; and one of another boot.
pub const SHAPES: [Shape; 4] = [
    shape(true, false, 0),
    shape(true, true, 0),
    shape(false, true, 0),
    shape(true, false, 0x20_0000),
];

const fn shape(has_build_ids: bool, is_pipe: bool, moved: u64) -> Shape {
    Shape {
        has_build_ids,
        is_pipe,
        moved,
    }
}

/// Returns a recording of one sample in the kernel, with this stack of the boot that the tree
/// describes: the first address exactly, then return addresses.
///
/// # Panics
/// If the stack is empty.
#[must_use]
pub fn of(shape: Shape, stack: &[u64]) -> Vec<u8> {
    const CONTEXT_KERNEL: u64 = 0_u64.wrapping_sub(128);
    let all = u32::MAX;
    let event = Event {
        name: "cycles",
        sample_type: sample::IDENTIFIER
            | sample::IP
            | sample::TID
            | sample::TIME
            | sample::CALLCHAIN,
        ids: vec![1],
        ..Event::default()
    };
    let mut file = PerfFile::new(false, &[event]);
    // `HOSTNAME` and `OSRELEASE`, as a pipe has them.
    for (feature, text) in [(3, HOSTNAME), (4, RELEASE)] {
        let size = text.len() + 8 - text.len() % 8;
        file.record(80, 0, |at| {
            at.u64(feature).u32(size as u32).text(text);
        });
    }
    if shape.has_build_ids {
        for (path, id) in [("[kernel.kallsyms]", IMAGE_ID), ("[served]", MODULE_ID)] {
            let byte = u8::from_str_radix(&id[..2], 16).expect("digits");
            file.record(67, KERNEL, |at| {
                at.u32(all).raw(&[byte; 20]).zeros(4).text(path);
            });
        }
    }
    let (text, module) = (TEXT + shape.moved, MODULE + shape.moved);
    let maps = [
        (text, 0x1000, text, "[kernel.kallsyms]_text"),
        (module, 0x2000, 0, "[served]"),
    ];
    for (start, size, offset, path) in maps {
        file.record(1, KERNEL, |at| {
            at.u32(all).u32(0).words(&[start, size, offset]).text(path);
            at.trailer(all, 0, 0, 1);
        });
    }
    // `KSYMBOL` of the BPF program.
    file.record(17, 0, |at| {
        at.u64(BPF + shape.moved).u32(0x100).u16(1).u16(0);
        at.text(BPF_NAME).trailer(all, 0, 0, 1);
    });
    let stack: Vec<u64> = stack.iter().map(|addr| addr + shape.moved).collect();
    file.record(9, KERNEL, |at| {
        at.words(&[1, stack[0]]).u32(7).u32(7).u64(1);
        at.u64(stack.len() as u64 + 1);
        at.u64(CONTEXT_KERNEL).words(&stack);
    });
    match shape.is_pipe {
        true => file.pipe(),
        false => file.file(),
    }
}
