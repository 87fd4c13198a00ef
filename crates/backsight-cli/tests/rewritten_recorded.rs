//! Files that are written to in place after they were recorded: without a build ID, device and
//! inode say that they are the mapped ones, and only the time says that they are not.

mod common;
mod overwritten;

use std::fs;

use common::{run, wait_until};
use overwritten::{Builds, Change, Process};
use testkit::{perf, skip};

#[test]
fn a_recording_gets_no_names_of_what_was_written_over_its_files() {
    let builds = match Builds::new("none") {
        Ok(builds) => builds,
        Err(reason) => return skip(&reason),
    };
    // A recording has no time of the last change, but of the last write, which `cp -p` sets back.
    let changes = Change::ALL.into_iter();
    for change in changes.filter(|change| *change != Change::WithOldTime) {
        let mut process = Process::start(&builds, true);
        process.load();
        let begin = process.ticks();
        wait_until("time in the library", || process.ticks() > begin + 10);
        let pid = process.pid();
        let way = ["-e", "cpu-clock", "-g", "-F", "499", "-p", &pid];
        let recording = match perf::record(&way, &["sleep", "0.5"]) {
            Ok(recording) => recording,
            Err(reason) => return skip(&reason),
        };
        let data = recording.data.to_str().unwrap();
        // A capture is a file of its own, which holds for a pprof that knows device and inode.
        let capture = process.dir.path().join("capture.ndjson");
        let capture = capture.to_str().unwrap();
        run(["convert", "-q", "--no-symbols", data, capture]).ok();

        let names = |what: &str| {
            let folded = process.dir.path().join("out.folded");
            let folded = folded.to_str().unwrap();
            let mut all = Vec::new();
            for input in [data, capture] {
                assert_eq!(run(["convert", "-q", input, folded]).code, Some(0));
                all.push((
                    format!("convert {input} {what}"),
                    fs::read_to_string(folded).unwrap(),
                ));
                let text = run(["report", "--no-pager", input]).stdout;
                all.push((format!("report {input} {what}"), text));
            }
            all
        };
        for (way, text) in names("before") {
            assert!(text.contains("enter"), "{way}: {text}");
        }
        change.make(&process.library(), &builds.new);
        for (way, text) in names(&format!("{change:?}")) {
            assert!(!text.contains("enter"), "{way}: {text}");
        }
        let said = run(["convert", data, "-o", "/dev/null", "--to", "folded"]).stderr;
        assert!(said.contains("identity-unproven"), "{change:?}: {said}");
    }
}
