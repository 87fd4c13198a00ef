//! A perf recording read through the library, compared with `perf script`; and the host is
//! described only by the parameter.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;

use backsight::{
    Host, ModuleFiles, PerfData, Profile, ProfileSymbolizer, RecordingError, RecordingOptions,
};
use testkit::perf::{self, Recording};
use testkit::{perf_file, skip};

/// Without build IDs: files are proven by host name, device and inode.
const WAY: [&str; 5] = ["-e", "cpu-clock:u", "-g", "-B", "-N"];

const ELSEWHERE: &str = "elsewhere";

fn recorded() -> Option<Recording> {
    let program = perf::program().ok_or("no C compiler".to_owned());
    let made = program.and_then(|program| {
        let program = program.to_str().ok_or("not UTF-8")?;
        perf::record(&WAY, &[program, "spin", "300000"])
    });
    made.map_err(|why| skip(&why)).ok()
}

/// The innermost functions of the program with their samples; names in the C library depend on
/// the reader of its debug information.
fn leaves(profile: &Profile) -> BTreeMap<String, u64> {
    let program = perf::program().unwrap();
    let mut leaves = BTreeMap::new();
    for (sample, _, _) in profile.samples.iter() {
        let leaf = profile.stacks.iter(sample.stack).next();
        let location = leaf.and_then(|leaf| profile.location(leaf)).unwrap();
        let module = location.module.and_then(|index| profile.module(index));
        let is_ours = module.is_some_and(|it| it.path == program.as_os_str().as_bytes());
        let frame = profile.frames_of(location).last();
        let name = frame.and_then(|frame| profile.strings.get(frame.function?));
        let name = if is_ours {
            name.unwrap_or("-")
        } else {
            ELSEWHERE
        };
        *leaves.entry(name.to_owned()).or_default() += 1;
    }
    leaves
}

fn written() -> perf_file::PerfFile {
    let event = perf_file::Event {
        name: "cycles",
        sample_type: perf_file::sample::IDENTIFIER | perf_file::sample::IP,
        ids: vec![1],
        ..perf_file::Event::default()
    };
    perf_file::PerfFile::new(false, &[event])
}

#[test]
fn a_recording_has_the_functions_that_perf_says() {
    let Some(recording) = recorded() else { return };
    let files = ModuleFiles::of_this_host();
    let options = RecordingOptions::default;
    let read = PerfData::of_file(&recording.data, options(), files.clone());
    let mut read = read.unwrap().finish();
    assert_eq!((read.unproven.files, read.lost, read.not_chosen), (0, 0, 0));
    let came_of_it = ProfileSymbolizer::new(files.clone()).look_up(&mut read.profile);
    assert_eq!(came_of_it, backsight::LookedUp::default());
    let ours = leaves(&read.profile);
    let text = recording.script(&["-G", "--no-inline", "-F", "ip,sym,dso"]);
    let program = perf::program().unwrap();
    let mut theirs = BTreeMap::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let (_, rest) = line.trim().split_once(' ').unwrap();
        let (name, module) = rest.rsplit_once(" (").unwrap();
        let is_ours = module.trim_end_matches(')') == program.to_str().unwrap();
        let name = if is_ours { name.trim() } else { ELSEWHERE };
        *theirs.entry(name.to_owned()).or_default() += 1;
    }
    assert!(theirs.contains_key("leaf"), "{text}");
    assert_eq!(ours, theirs);

    // Reading in pieces gives the same samples.
    let read = PerfData::of_file(&recording.data, options(), files);
    let mut read = read.unwrap();
    let mut samples = 0;
    loop {
        let may_have_more = read.advance();
        samples += read.profile_mut().samples.len();
        read.profile_mut().samples = Default::default();
        if !may_have_more {
            break;
        }
    }
    assert_eq!(samples as u64, ours.values().sum::<u64>());
}

#[test]
fn the_host_is_what_was_handed_in() {
    let Some(recording) = recorded() else { return };
    let read = |host: Host| {
        let files = ModuleFiles::default().with_host(host);
        let read = PerfData::of_file(&recording.data, RecordingOptions::default(), files.clone());
        let mut read = read.unwrap().finish();
        ProfileSymbolizer::new(files).look_up(&mut read.profile);
        let names = leaves(&read.profile);
        (read.unproven, names.get("-").copied().unwrap_or_default())
    };
    let this = Host::this();
    let mut named = Host::default();
    named.hostname.clone_from(&this.hostname);
    let (unproven, nameless) = read(named);
    assert_eq!((unproven.files, nameless), (0, 0));
    // Inode numbers are not trusted for a host with another name.
    let (unproven, nameless) = read(Host::default());
    assert!(unproven.files > 0 && unproven.places > 0, "{unproven:?}");
    assert_eq!(unproven.hostname, this.hostname);
    assert!(nameless > 0);
}

#[test]
fn an_event_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("perf.data");
    std::fs::write(&path, written().file()).unwrap();
    let open = |name: &str| {
        let options = RecordingOptions::default().with_event(Some(name.to_owned()));
        PerfData::of_file(&path, options, ModuleFiles::default())
    };
    match open("faults") {
        Err(RecordingError::NoSuchEvent { wanted, events }) => {
            assert_eq!((&*wanted, events), ("faults", vec!["cycles".to_owned()]));
        }
        other => panic!("{other:?}"),
    }
    assert!(open("cycles").is_ok());
}

#[test]
fn a_folder_is_one_recording() {
    let Some(program) = perf::program() else {
        skip("no C compiler");
        return;
    };
    let way = ["-e", "cpu-clock:u", "-g", "--threads"];
    let command = [program.to_str().unwrap(), "forks", "30000"];
    let recording = match perf::record(&way, &command) {
        Ok(recording) => recording,
        Err(why) => return skip(&why),
    };
    assert!(recording.data.is_dir());
    let options = RecordingOptions::default();
    let read = PerfData::of_file(&recording.data, options, ModuleFiles::default());
    let read = read.unwrap().finish();
    let theirs = recording.script(&["-G", "-F", "ip"]);
    let theirs = theirs.lines().filter(|line| !line.trim().is_empty());
    assert_eq!(read.profile.samples.len(), theirs.count());
    assert!(
        read.profile.processes.len() > 1,
        "{:?}",
        read.profile.processes
    );
}
