//! What is shown on a narrow screen: no line is wider than it, names have as much room as can be,
//! and columns that say least are left out.

mod annotated;
mod common;
#[path = "common/terminal.rs"]
mod terminal;

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use annotated::Annotated;
use common::backsight;
use tempfile::TempDir;
use terminal::Terminal;
use testkit::child::KillOnDrop;
use testkit::{perf, skip};
use unicode_width::UnicodeWidthStr;

const WIDTHS: [usize; 6] = [20, 27, 40, 60, 80, 200];

/// Each character takes two columns.
const WIDE: &str =
    "函数名称::分配器🚀<模板参数,模板参数>::运行(整数,字符串,列表)函数名称函数名称函数名称函数名称";

/// Two recordings in which all names are longer than most screens.
struct Recordings {
    dir: TempDir,
}

impl Recordings {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let library = "/库/of/the/program/数据库数据库数据库数据库数据库.so";
        for (name, period) in [("before", 10), ("after", 40)] {
            let mut text = String::new();
            for nth in 0..9 {
                let own = format!("\t{}00 {nth}{WIDE} ({library})\n", nth + 1);
                let deep = format!("\t5000 {WIDE} ({library})\n").repeat(nth * 9);
                let main = format!("\t1000 main{WIDE} ({library})\n\n");
                let amount = if nth == 3 { period * 9 } else { 10 };
                text.push_str(&format!(
                    "程序 7/7 1.0: {amount} cycles: \n{own}{deep}{main}"
                ));
            }
            fs::write(dir.path().join(format!("{name}.perf")), text).unwrap();
        }
        Self { dir }
    }

    fn path(&self, name: &str) -> String {
        let path: PathBuf = self.dir.path().join(name);
        path.to_str().unwrap().to_owned()
    }
}

/// Returns what is shown on a screen with so many columns.
fn shown(columns: usize, args: &[&str]) -> Vec<String> {
    let mut command = backsight();
    command.args(args).env("COLUMNS", columns.to_string());
    let ran = command.stderr(Stdio::null()).output().unwrap();
    assert!(ran.status.success(), "{args:?}");
    let text = String::from_utf8(ran.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Fails if a line is wider than the screen.
fn assert_fits(columns: usize, lines: &[String], what: &[&str]) {
    assert!(!lines.is_empty(), "{what:?}");
    for line in lines {
        let width = line.width();
        let shown = lines.join("\n");
        assert!(
            width <= columns,
            "{what:?}: {width} > {columns}: {line}\n{shown}"
        );
    }
}

/// The views of `report` and `diff`.
const VIEWS: [&[&str]; 12] = [
    &["report", "AFTER"],
    &["report", "AFTER", "--sort", "total"],
    &["report", "AFTER", "-n", "2"],
    &["report", "AFTER", "--by", "module"],
    &["report", "AFTER", "--by", "thread"],
    &["report", "AFTER", "--tree"],
    &["report", "AFTER", "--tree", "--fold", "20"],
    &["report", "AFTER", "--tree", "--reverse", "-n", "9"],
    &["report", "AFTER", "--callers", "分配器"],
    &["report", "AFTER", "--callees", "main", "-n", "1"],
    &["diff", "BEFORE", "AFTER"],
    &["diff", "BEFORE", "AFTER", "-n", "1", "--normalize", "none"],
];

#[test]
fn no_line_of_a_report_or_difference_is_wider_than_the_screen() {
    let of = Recordings::new();
    let [before, after] = ["before.perf", "after.perf"].map(|name| of.path(name));
    for columns in WIDTHS {
        for view in VIEWS {
            let named = view.iter().map(|arg| match *arg {
                "BEFORE" => &*before,
                "AFTER" => &*after,
                arg => arg,
            });
            let mut args: Vec<&str> = named.collect();
            args.extend(["-q", "--no-pager", "--sample-type", "cycles"]);
            let lines = shown(columns, &args);
            assert_fits(columns, &lines, view);
            let has_name = |line: &String| {
                let names = ["函数", "main", "库", "程序"];
                names.iter().any(|name| line.contains(name))
            };
            assert!(lines.iter().skip(1).any(has_name), "{columns}: {lines:#?}");
            // As much of it as there is room for: a wide character may leave one column.
            let cut = |line: &&String| line.contains('%') && line.ends_with('…');
            for line in lines.iter().skip(1).filter(cut) {
                assert!(
                    line.width() + 1 >= columns,
                    "{view:?} {columns}: {lines:#?}"
                );
            }
        }
    }
}

#[test]
fn lines_of_files_fit() {
    let of = Recordings::new();
    let path = of.path("in.folded");
    fs::write(
        &path,
        format!("main;{WIDE} (数据/数据库数据库数据库数据库.c:1234) 3\n"),
    )
    .unwrap();
    for columns in WIDTHS {
        for view in [&["--by", "line"][..], &["--by", "line", "--tree"]] {
            let mut args = vec!["report", &*path, "-q", "--no-pager"];
            args.extend(view);
            assert_fits(columns, &shown(columns, &args), view);
        }
    }
}

#[test]
fn columns_that_say_least_are_left_out() {
    let of = Recordings::new();
    let [before, after] = ["before.perf", "after.perf"].map(|name| of.path(name));
    let has = |lines: &[String], word: &str| {
        let mut words = lines
            .iter()
            .take(3)
            .flat_map(|line| line.split_whitespace());
        words.any(|it| it == word)
    };
    let diff = ["diff", &*before, &after, "--sample-type", "cycles"];
    for columns in [20, 39, 40, 59, 60, 80] {
        let lines = shown(columns, &["report", &after, "-q", "--no-pager"]);
        assert!(has(&lines, "self"), "{lines:#?}");
        assert_eq!(has(&lines, "total"), columns >= 40, "{lines:#?}");
        assert_eq!(has(&lines, "module"), columns >= 60, "{lines:#?}");
        // The figure that rows are sorted by is always there.
        let lines = shown(
            columns,
            &["report", &after, "-q", "--no-pager", "--sort", "total"],
        );
        assert_eq!(has(&lines, "self"), columns >= 40, "{lines:#?}");
        assert!(has(&lines, "total"), "{lines:#?}");
        let lines = shown(columns, &[&diff[..], &["-q", "--no-pager"]].concat());
        assert_eq!(has(&lines, "before"), columns >= 60, "{lines:#?}");
        assert_eq!(has(&lines, "total"), columns >= 40, "{lines:#?}");
        assert!(has(&lines, "self"), "{lines:#?}");
        let has_module = lines.iter().any(|line| line.contains("  ("));
        assert_eq!(has_module, columns >= 80, "{lines:#?}");
    }
}

#[test]
fn code_and_lines_fit() {
    let of = match Annotated::native() {
        Ok(made) => made,
        Err(why) => return skip(&why),
    };
    let data = of.path("perf.data");
    let source = fs::read_to_string(of.path("app.c")).unwrap();
    fs::write(
        of.path("app.c"),
        source.replace("inner(at);", "inner(at); // 内联函数内联函数内联函数"),
    )
    .unwrap();
    let args = ["annotate", &*data, "work", "-q", "--no-pager"];
    for columns in WIDTHS.into_iter().chain([59, 69, 70]) {
        let lines = shown(columns, &args);
        assert_fits(columns, &lines, &args);
        let bars = lines
            .iter()
            .filter(|line| line.contains(['█', '▏', '▎', '▍']));
        assert_eq!(bars.count() > 0, columns >= 70, "{columns}: {lines:#?}");
        let line = lines.iter().find(|line| line.contains(" 9 "));
        let line = line.unwrap_or_else(|| panic!("{lines:#?}"));
        let cut = line.width();
        // Of line 9 there is as much as fits.
        assert!(columns >= 80 || cut + 1 >= columns, "{columns}: {line}");
        let more = shown(columns, &[&args[..], &["-n", "2"]].concat());
        assert_fits(columns, &more, &args);
    }
    // A function without a file.
    let of = Recordings::new();
    let path = of.path("after.perf");
    for columns in WIDTHS {
        let args = ["annotate", &*path, "分配器", "-q", "--no-pager"];
        assert_fits(columns, &shown(columns, &args), &args);
    }
}

#[test]
fn the_view_has_as_much_of_a_name_as_fits() {
    let of = Recordings::new();
    let path = of.path("after.perf");
    for columns in WIDTHS {
        let size = (24, u16::try_from(columns).unwrap());
        let args = ["view", &*path, "--no-symbols", "-q"];
        let mut terminal = Terminal::run(&args, size, &[("LANG", "C.UTF-8")]);
        terminal.wait_for("? keys");
        let check = |page: &str, terminal: &Terminal| {
            let text = terminal.text();
            let rows: Vec<&str> = text.lines().filter(|line| line.contains('%')).collect();
            assert!(rows.len() > 1, "{page} {columns}: {text}");
            for row in rows.iter().filter(|row| row.contains('…')) {
                assert!(
                    row.trim_end().width() + 1 >= columns,
                    "{page} {columns}: {text}"
                );
            }
            let has_name = rows
                .iter()
                .filter(|row| row.contains("函数") || row.contains("main"));
            assert!(has_name.count() > 1, "{page} {columns}: {text}");
        };
        check("list", &terminal);
        terminal.press("c");
        terminal.wait_for("what the");
        terminal.press("*");
        terminal.wait_for("- 函数");
        check("tree", &terminal);
        terminal.press("\x1b");
        terminal.wait_for("self*");
        terminal.press("\r");
        terminal.wait_for("callees");
        check("function", &terminal);
        terminal.press("q");
        assert!(terminal.end().success());
    }
}

#[test]
fn tables_of_top_fit() {
    let Some(program) = perf::program() else {
        return skip("there is no C compiler");
    };
    let mut busy = std::process::Command::new(program);
    let busy = KillOnDrop(busy.args(["spin", "2000000000"]).spawn().expect("it runs"));
    let pid = busy.0.id().to_string();
    for columns in WIDTHS {
        let args = [
            "top", "-p", &*pid, "--every", "60s", "-d", "0.3s", "-n", "1",
        ];
        let lines = shown(columns, &args);
        if lines.is_empty() {
            skip("nothing of it ran, on a busy machine");
            continue;
        }
        assert_fits(columns, &lines, &args);
    }
}
