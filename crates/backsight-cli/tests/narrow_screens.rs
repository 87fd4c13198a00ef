//! What is shown on a narrow screen: names are cut, and columns that say least are left out.

mod annotated;
mod common;

use std::fs;
use std::process::Stdio;

use annotated::Annotated;
use common::backsight;
use testkit::skip;

/// Returns what is shown on a screen with so many columns.
fn shown(columns: usize, args: &[&str]) -> Vec<String> {
    let mut command = backsight();
    command.args(args).env("COLUMNS", columns.to_string());
    let ran = command.stderr(Stdio::null()).output().unwrap();
    assert!(ran.status.success(), "{args:?}");
    let text = String::from_utf8(ran.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn widest(lines: &[String]) -> usize {
    let widths = lines.iter().map(|line| line.chars().count());
    widths.max().unwrap()
}

#[test]
fn rows_of_a_difference_fit_where_the_screen_has_room_for_its_figures() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let long = "a_function::with::a_name(that, is, longer, than, any, screen, of, this, test)";
    let frames = "\t1000 work (/a/library/of/the/program.so)\n\n";
    let of = |period: u32| {
        let other = format!("a 7/7 1.5: {period} cycles: \n\t2000 {long} (/bin/app)\n{frames}");
        format!("a 7/7 1.0: 10 cycles: \n{frames}{other}")
    };
    fs::write(path("before.perf"), of(10)).unwrap();
    fs::write(path("after.perf"), of(40)).unwrap();
    let (before, after) = (path("before.perf"), path("after.perf"));
    let args = ["diff", &*before, &after, "-q", "--sample-type", "cycles"];
    for columns in [20, 40, 60, 80, 100] {
        let lines = shown(columns, &args);
        assert!(widest(&lines) <= columns.max(40), "{columns}: {lines:#?}");
        assert!(lines[1].contains("a_funct"), "{columns}: {lines:#?}");
        assert_eq!(lines[0].contains("before"), columns >= 60, "{lines:#?}");
        assert!(lines[0].contains("total"), "{lines:#?}");
        let has_module = lines.iter().any(|line| line.contains("(app)"));
        assert_eq!(has_module, columns >= 80, "{lines:#?}");
    }
}

#[test]
fn rows_of_a_report_fit() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.perf");
    let long = "a_function::with::a_name(that, is, longer, than, any, screen, of, this, test)";
    let library = "/a/library/with/a_long_name_of_the_program.so";
    let mut text = String::new();
    for event in ["cycles", "cpu-clock"] {
        let frames = format!("\t2000 {long} ({library})\n\t1000 main (/bin/app)\n\n");
        text.push_str(&format!("a 7/7 1.0: 1000000 {event}: \n{frames}"));
    }
    fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap();
    for event in ["cycles", "cpu-clock"] {
        let args = ["report", path, "-q", "--no-pager", "--sample-type", event];
        for columns in [40, 50, 59, 60, 70, 79, 80, 100, 140] {
            let lines = shown(columns, &args);
            // The first line has what the samples measure, and the path.
            assert!(
                widest(&lines[1..]) <= columns,
                "{event} {columns}: {lines:#?}"
            );
            let has_module = lines.iter().any(|line| line.ends_with("module"));
            assert_eq!(has_module, columns >= 60, "{event} {columns}: {lines:#?}");
            assert!(
                lines.iter().any(|line| line.contains("a_funct")),
                "{lines:#?}"
            );
        }
    }
}

#[test]
fn code_and_lines_are_shown_without_bars() {
    let of = match Annotated::native() {
        Ok(made) => made,
        Err(why) => return skip(&why),
    };
    let data = of.path("perf.data");
    let args = ["annotate", &*data, "work", "-q"];
    for (columns, has_bars) in [(20, false), (69, false), (70, true), (120, true)] {
        let lines = shown(columns, &args);
        let bars = lines
            .iter()
            .filter(|line| line.contains(['█', '▏', '▎', '▍']));
        assert_eq!(bars.count() > 0, has_bars, "{columns}: {lines:#?}");
        let source = lines.iter().filter(|line| line.contains("  9  "));
        let source: Vec<String> = source.cloned().collect();
        assert_eq!(source.len(), 1, "{lines:#?}");
        assert!(widest(&source) <= columns.max(50), "{columns}: {source:?}");
    }
}
