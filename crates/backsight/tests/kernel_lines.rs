//! Addresses of a kernel have the same frames by every way: live, normalized and symbolized
//! elsewhere, and recorded; for each choice of files that are at hand.

mod trees;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use backsight::formats::ndjson::{AddressLine, JsonLine, ProfileWriter, Reader, Writer};
use backsight::symbolize::{Fetch, FetchError, Fetched, Options, Symbolizer, Wanted};
use backsight::types::{AbsAddr, Lookup, ModuleIdx};
use backsight::{
    Host, KernelOptions, Known, LiveKernel, Lookups, ModuleFiles, PerfData, Profile,
    ProfileSymbolizer, RecordingOptions, RunningKernel, module_shares,
};
use testkit::kernel_recording::{self, HOSTNAME, SHAPES, Shape};
use testkit::kernel_tree::{
    BPF, IMAGE_ID, KASLR, KernelTree, MODULE, MODULE_ID, RELEASE, TEXT, kallsyms, module, vmlinux,
};
use testkit::skip;

/// The first bytes of each function, the first exactly, the others as return addresses.
fn asked() -> Vec<(AbsAddr, Lookup)> {
    let starts = [0, 0x100, 0x200].map(|at| TEXT + at);
    let starts = starts.into_iter().chain([MODULE, MODULE + 0x100, BPF]);
    let all = starts.flat_map(|start| (1..0x10).map(move |into| start + into));
    let lookups = std::iter::once(Lookup::Exact).chain(std::iter::repeat(Lookup::Return));
    all.map(AbsAddr).zip(lookups).collect()
}

/// A recording of one sample with all addresses.
fn recording(shape: Shape) -> Vec<u8> {
    let addrs: Vec<u64> = asked().iter().map(|(addr, _)| addr.0).collect();
    kernel_recording::of(shape, &addrs)
}

/// The host whose kernel the tree describes.
fn host(tree: &KernelTree) -> Host {
    let mut host = Host::default();
    host.hostname = Some(HOSTNAME.to_owned());
    host.kernel_release = Some(RELEASE.to_owned());
    host.kernel_build_id = Some(IMAGE_ID.parse().expect("an ID"));
    host.kallsyms = Some(tree.path("proc/kallsyms"));
    host.kernel_root = Some(tree.root().to_owned());
    host
}

fn options(root: &Path) -> Options {
    let options = Options::default().with_debug_dirs(vec!["/usr/lib/debug".into()]);
    options.with_roots(vec![root.to_owned()])
}

/// What one frame shows.
fn frame(function: Option<&str>, file: Option<&str>, line: Option<u32>, inlined: bool) -> String {
    let file = file.map_or("?", |file| file.rsplit('/').next().expect("a name"));
    let how = if inlined { " inlined" } else { "" };
    let function = function.unwrap_or("?");
    format!("{function} {file}:{}{how}", line.unwrap_or_default())
}

fn shown(lookups: Lookups<'_>, symbolizer: &Symbolizer) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    let never = lookups
        .look_up(symbolizer)
        .each(|answer: &AddressLine<'_>| {
            let frames = answer.frames.iter().map(|of| {
                frame(
                    of.function.as_deref(),
                    of.file.as_deref(),
                    of.line,
                    of.inlined,
                )
            });
            all.push(frames.collect());
            Ok::<(), std::convert::Infallible>(())
        });
    let Ok(()) = never;
    all
}

fn live(tree: &KernelTree) -> Vec<Vec<String>> {
    let mut live = LiveKernel::open(trees::options(tree)).expect("a list of symbols");
    let lookups = live.begin(asked());
    shown(lookups, live.symbolizer())
}

/// Reads NDJSON as another host does, which has the files beneath `root`.
fn elsewhere(lines: &[u8], root: &Path) -> Vec<Vec<String>> {
    let files = ModuleFiles::default().with_symbols(options(root));
    let symbolizer = Symbolizer::new(files.symbols().clone());
    let mut modules: BTreeMap<ModuleIdx, Known> = BTreeMap::new();
    let mut lookups = Lookups::default();
    for line in Reader::new(lines) {
        match line.expect("well-formed") {
            (_, JsonLine::Module { index, module }) => {
                modules.insert(index, files.introduce(&symbolizer, &module));
            }
            (_, JsonLine::Address(address)) => {
                let known = address
                    .module
                    .and_then(|index| modules.get(&index))
                    .copied();
                lookups.push(address, known);
            }
            _ => {}
        }
    }
    shown(lookups, &symbolizer)
}

fn captured(tree: &KernelTree, root: &Path) -> Vec<Vec<String>> {
    let kernel = RunningKernel::open(trees::options(tree)).expect("a list of symbols");
    let mut lines = Vec::new();
    let mut writer = Writer::new(&mut lines);
    let mut introduced = Vec::new();
    for (addr, lookup) in asked() {
        let answer = kernel.answer(addr, lookup);
        let index = answer.module.expect("located");
        if !introduced.contains(&index) {
            introduced.push(index);
            let module = kernel.module(index).expect("described");
            writer.module(index, module).expect("written");
        }
        writer.address(&answer).expect("written");
    }
    elsewhere(&lines, root)
}

/// Returns the frames of the locations of the only stack, in the order in which they were asked
/// for.
fn of_profile(profile: &Profile) -> Vec<Vec<String>> {
    let sample = profile.samples.iter().next().expect("one").0.stack;
    let text = |index| profile.strings.get(index).expect("interned");
    let locations = profile.stacks.iter(sample);
    let frames = locations.map(|location| {
        let location = profile.location(location).expect("of the profile");
        let frames = profile.frames_of(location).iter().map(|of| {
            frame(
                of.function.map(text),
                of.file.map(text),
                of.line,
                of.inlined,
            )
        });
        frames.collect()
    });
    frames.collect()
}

fn read(bytes: &[u8], files: &ModuleFiles) -> Profile {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("perf.data");
    std::fs::write(&path, bytes).expect("written");
    let read = PerfData::of_file(&path, RecordingOptions::default(), files.clone());
    read.expect("a recording").finish().profile
}

fn recorded(bytes: &[u8], files: &ModuleFiles) -> Vec<Vec<String>> {
    let mut profile = read(bytes, files);
    ProfileSymbolizer::new(files.clone()).look_up(&mut profile);
    of_profile(&profile)
}

/// Normalized where it was recorded, and symbolized where the files are beneath `root`. Locations
/// are written in the order in which they were met.
fn recorded_and_captured(bytes: &[u8], files: &ModuleFiles, root: &Path) -> Vec<Vec<String>> {
    let mut profile = read(bytes, files);
    let mut lines = Vec::new();
    let header = backsight::formats::ndjson::HeaderLine::new("test");
    let mut writer = ProfileWriter::new(&header, &mut lines);
    writer.drain(&mut profile).expect("written");
    writer.flush().expect("written");
    drop(writer);
    elsewhere(&lines, root)
}

type NamedFiles = Vec<(String, Vec<u8>)>;
/// The files that are at hand, by path, written into a tree.
fn places(image: &[u8], ko: &[u8]) -> Vec<(&'static str, NamedFiles)> {
    let vmlinux = || (format!("boot/vmlinux-{RELEASE}"), image.to_vec());
    let by_id =
        |id: &str, rest: &str| format!("usr/lib/debug/.build-id/{}/{}{rest}", &id[..2], &id[2..]);
    let own = || (KernelTree::module_path(""), ko.to_vec());
    vec![
        ("nothing", vec![]),
        ("vmlinux", vec![vmlinux()]),
        ("the module", vec![own()]),
        ("both", vec![vmlinux(), own()]),
        (
            "both by build ID",
            vec![
                (by_id(IMAGE_ID, ".debug"), image.to_vec()),
                (by_id(MODULE_ID, ".debug"), ko.to_vec()),
            ],
        ),
        (
            "both as perf keeps them",
            vec![
                (by_id(IMAGE_ID, "/elf"), image.to_vec()),
                (by_id(MODULE_ID, "/elf"), ko.to_vec()),
            ],
        ),
    ]
}

#[test]
fn frames_are_the_same_by_every_way() {
    let (image, ko) = match (vmlinux(IMAGE_ID), module(MODULE_ID, 0)) {
        (Ok(image), Ok(ko)) => (image, ko),
        (image, _) => return skip(&image.err().unwrap_or_default()),
    };
    for (what, at_hand) in places(&image, &ko) {
        let tree = KernelTree::with_module();
        for (path, bytes) in &at_hand {
            tree.write(path, bytes);
        }
        let want = live(&tree);
        let has = |text: &str| want.iter().flatten().any(|frame| frame.starts_with(text));
        let has_both = what.starts_with("both");
        let (has_image, has_ko) = (
            has_both || what == "vmlinux",
            has_both || what == "the module",
        );
        assert_eq!(has("inlined input.c:"), has_image, "{what}: {want:?}");
        assert_eq!(has("served_second input.c:"), has_ko, "{what}: {want:?}");
        assert!(has("bpf_prog_6deef7357e7b4530_count ?:0"), "{want:?}");
        assert_eq!(captured(&tree, tree.root()), want, "{what}");
        for shape in SHAPES {
            let bytes = recording(shape);
            let here = ModuleFiles::default().with_symbols(options(tree.root()));
            let here = here.with_host(host(&tree));
            assert_eq!(recorded(&bytes, &here), want, "{what}: {shape:?}");
            let captured = recorded_and_captured(&bytes, &here, tree.root());
            if shape.moved == 0 {
                assert_eq!(captured, want, "{what}: {shape:?}, captured");
            }
            // Another host knows the files, and no list.
            let elsewhere = ModuleFiles::default().with_symbols(options(tree.root()));
            let found = recorded(&bytes, &elsewhere);
            for (found, want) in found.iter().zip(&want) {
                let has_lines = want.iter().any(|frame| frame.contains("input.c"));
                let is_bpf = want.iter().any(|frame| frame.starts_with("bpf_prog"));
                if shape.has_build_ids && has_lines {
                    assert_eq!(found, want, "{what}: {shape:?}, elsewhere");
                } else if !shape.has_build_ids && !is_bpf {
                    assert!(found.is_empty(), "{what}: {found:?}");
                }
            }
        }
    }
}

/// By build ID: neither names nor lines of this host's kernel are those of another.
#[test]
fn another_kernel_is_not_named_by_this_one() {
    let (Ok(image), Ok(ko)) = (vmlinux(MODULE_ID), module(IMAGE_ID, 0)) else {
        return skip("no compiler or linker");
    };
    let tree = KernelTree::with_module();
    tree.write(&format!("boot/vmlinux-{RELEASE}"), image);
    tree.write(&KernelTree::module_path(""), ko);
    let mut host = host(&tree);
    host.kernel_build_id = Some(MODULE_ID.parse().expect("an ID"));
    tree.write(
        "sys/kernel/notes",
        testkit::kernel_tree::build_id_note(MODULE_ID),
    );
    tree.write(
        "sys/module/served/notes/.note.gnu.build-id",
        testkit::kernel_tree::build_id_note(IMAGE_ID),
    );
    let files = ModuleFiles::default().with_symbols(options(tree.root()));
    let files = files.with_host(host);
    for shape in SHAPES.iter().filter(|shape| shape.has_build_ids) {
        let found = recorded(&recording(*shape), &files);
        let named: Vec<_> = found.iter().flatten().collect();
        assert!(
            named.iter().all(|name| name.starts_with("bpf_prog")),
            "{shape:?}: {named:?}"
        );
    }
}

/// What `perf record` keeps of the kernel names it on any host.
#[test]
fn the_list_that_perf_kept_names_the_recorded_kernel() {
    let tree = KernelTree::new();
    let kept = format!(
        "usr/lib/debug/.build-id/{}/{}/kallsyms",
        &IMAGE_ID[..2],
        &IMAGE_ID[2..]
    );
    tree.write(&kept, kallsyms());
    let files = || ModuleFiles::default().with_symbols(options(tree.root()));
    for shape in SHAPES {
        let found = recorded(&recording(shape), &files());
        let names: Vec<_> = found.iter().flatten().collect();
        let has = |text: &str| names.iter().any(|name| name.starts_with(text));
        // Nothing says whose list it is.
        assert_eq!(has("third_of_image"), shape.has_build_ids, "{shape:?}");
        // KASLR moves the image as a whole, and modules otherwise.
        let same_boot = shape.has_build_ids && shape.moved == 0;
        assert_eq!(has("served_second"), same_boot, "{shape:?}: {names:?}");
    }
    // Lines are added to these names.
    let (Ok(image), Ok(ko)) = (vmlinux(IMAGE_ID), module(MODULE_ID, 0)) else {
        return skip("no compiler or linker");
    };
    tree.write(&format!("boot/vmlinux-{RELEASE}"), &image);
    tree.write(&KernelTree::module_path(""), &ko);
    let whole = with_files(&image, &ko);
    assert_eq!(recorded(&recording(SHAPES[0]), &files()), live(&whole));
}

/// A tree with the files of the image and of the module.
fn with_files(image: &[u8], ko: &[u8]) -> KernelTree {
    let tree = KernelTree::with_module();
    tree.write(&format!("boot/vmlinux-{RELEASE}"), image);
    tree.write(&KernelTree::module_path(""), ko);
    tree
}

/// A file that the user names counts by build ID alone.
#[test]
fn a_named_vmlinux_is_looked_at_first() {
    let (Ok(mine), Ok(other)) = (vmlinux(IMAGE_ID), vmlinux(MODULE_ID)) else {
        return skip("no compiler or linker");
    };
    let tree = KernelTree::with_module();
    let bytes = recording(SHAPES[0]);
    let named = |name: &str| {
        let path = tree.path(name);
        let of_tree = trees::options(&tree).with_vmlinux(Some(path.clone()));
        let mut live = LiveKernel::open(of_tree).expect("a list of symbols");
        let lookups = live.begin(asked());
        let live = shown(lookups, live.symbolizer());
        let files = ModuleFiles::default().with_symbols(options(tree.root()));
        let files = files.with_host(host(&tree)).with_vmlinux(Some(path));
        assert_eq!(recorded(&bytes, &files), live, "{name}");
        live.iter()
            .flatten()
            .any(|frame| frame.starts_with("inlined input.c:"))
    };
    assert!(!named("nowhere"));
    tree.write("other", other);
    assert!(!named("other"));
    tree.write("mine", mine);
    assert!(named("mine"));
    let told = KernelOptions::default().with_root(tree.root());
    let told = RunningKernel::open(told.with_vmlinux(Some(tree.path("mine"))));
    assert_eq!(told.expect("opened").kaslr_offset(), Some(KASLR));
}

/// Brings the files of one build ID.
#[derive(Debug)]
struct Server(&'static str, std::path::PathBuf);

impl Fetch for Server {
    fn fetch(&self, wanted: &Wanted<'_>) -> Result<Option<Fetched>, FetchError> {
        if wanted.build_id.to_string() != self.0 {
            return Ok(None);
        }
        let file = std::fs::File::open(&self.1).expect("written");
        Ok(Some(Fetched::new(file, &self.1)))
    }
}

/// As debuginfod servers do: for names that are known there is still something to fetch.
#[test]
fn files_are_fetched_for_lines_though_the_names_are_known() {
    let (Ok(image), Ok(ko)) = (vmlinux(IMAGE_ID), module(MODULE_ID, 0)) else {
        return skip("no compiler or linker");
    };
    let tree = KernelTree::with_module();
    tree.write("image", &image);
    tree.write("ko", &ko);
    let served = [(IMAGE_ID, "image"), (MODULE_ID, "ko")];
    let fetchers = served.map(|(id, file)| Arc::new(Server(id, tree.path(file))) as Arc<dyn Fetch>);
    let options = options(tree.root()).with_fetchers(fetchers.to_vec());
    let files = ModuleFiles::default().with_symbols(options.clone());
    let files = files.with_host(host(&tree));
    let bytes = recording(SHAPES[0]);
    let profile = read(&bytes, &files);
    let shares: Vec<_> = (module_shares(&profile).iter())
        .filter_map(|of| profile.module(of.module)?.build_id)
        .collect();
    let ids = [IMAGE_ID, MODULE_ID].map(|id| id.parse().expect("an ID"));
    assert_eq!(shares, ids);
    let whole = with_files(&image, &ko);
    assert_eq!(recorded(&bytes, &files), live(&whole));
    let mut here = LiveKernel::open(
        KernelOptions::default()
            .with_root(tree.root())
            .with_symbols(options),
    );
    let here = here.as_mut().expect("a list of symbols");
    let lookups = here.begin(asked());
    assert_eq!(shown(lookups, here.symbolizer()), live(&whole));
}
