//! How far inside its function an address of the kernel is, recorded and live: also of the image,
//! whose virtual offsets are not known without its file.

mod trees;

use backsight::types::{AbsAddr, AddrKind, Lookup};
use backsight::{Host, ModuleFiles, PerfData, RecordingOptions, RunningKernel};
use testkit::kernel_recording::{self, HOSTNAME, SHAPES};
use testkit::kernel_tree::{BPF, IMAGE_ID, KernelTree, MODULE, RELEASE, TEXT};

/// The first is a program counter, the others are return addresses.
const ASKED: [u64; 5] = [
    TEXT + 0x104,
    TEXT + 8,
    TEXT + 0x208,
    MODULE + 0x10c,
    BPF + 4,
];

#[test]
fn a_recorded_function_begins_where_the_live_one_does() {
    let tree = KernelTree::with_module();
    let kernel = RunningKernel::open(trees::options(&tree)).expect("a list of symbols");
    let lookups = std::iter::once(Lookup::Exact).chain(std::iter::repeat(Lookup::Return));
    let live = ASKED.into_iter().zip(lookups).map(|(addr, lookup)| {
        let answer = kernel.answer(AbsAddr(addr), lookup);
        let frame = answer.frames.first().expect("a name");
        let by_file = || {
            answer
                .file_offset?
                .0
                .checked_sub(frame.start_file_offset?.0)
        };
        let by_virt = || answer.virtual_offset?.0.checked_sub(frame.start?.0);
        let into = by_file().or_else(by_virt);
        (frame.function.clone().expect("a name").into_owned(), into)
    });
    let live: Vec<_> = live.collect();
    assert!(live.iter().all(|(_, into)| into.is_some()), "{live:?}");

    let mut host = Host::default();
    host.hostname = Some(HOSTNAME.to_owned());
    host.kernel_release = Some(RELEASE.to_owned());
    host.kernel_build_id = Some(IMAGE_ID.parse().expect("an ID"));
    host.kallsyms = Some(tree.path("proc/kallsyms"));
    host.kernel_root = Some(tree.root().to_owned());
    for shape in SHAPES.into_iter().filter(|shape| shape.moved == 0) {
        let path = tree.path("perf.data");
        std::fs::write(&path, kernel_recording::of(shape, &ASKED)).expect("written");
        let files = ModuleFiles::default().with_host(host.clone());
        let read = PerfData::of_file(&path, RecordingOptions::default(), files);
        let profile = read.expect("a recording").finish().profile;
        let sample = profile.samples.iter().next().expect("one").0.stack;
        let recorded = profile.stacks.iter(sample).map(|index| {
            let location = profile.location(index).expect("of the profile");
            assert_eq!(location.kind, Some(AddrKind::Kernel));
            let frame = profile.frames_of(location).first().expect("a name");
            let offset = location.file_offset.expect("in a module").0;
            let by_file = || offset.checked_sub(frame.start_file_offset?.0);
            // In a module of the kernel both count from its first byte.
            let by_virt = || offset.checked_sub(frame.start?.0);
            let into = by_file().or_else(by_virt);
            let name = frame.function.and_then(|name| profile.strings.get(name));
            (name.expect("a name").to_owned(), into)
        });
        assert_eq!(recorded.collect::<Vec<_>>(), live, "{shape:?}");
    }
}
