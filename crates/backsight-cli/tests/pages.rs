//! The page for a browser, in Chromium: its figures are those of `report`, and clicks and searches
//! do what they say.

mod common;
#[path = "common/reported.rs"]
mod reported;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::{json, of_type, run};
use reported::{SCRIPT, reported};
use serde_json::Value;
use tempfile::TempDir;
use testkit::browser::Browser;
use testkit::skip;

struct Page {
    dir: TempDir,
    browser: Browser,
}

impl Page {
    /// The page of an input with this name.
    fn of(name: &str, text: &str) -> Option<Self> {
        let browser = match Browser::start() {
            Ok(browser) => browser,
            Err(why) => {
                skip(&why);
                return None;
            }
        };
        let dir = tempfile::tempdir().unwrap();
        let page = Self { dir, browser };
        fs::write(page.path(name), text).unwrap();
        let (input, output) = (page.path(name), page.path("page.html"));
        let args = ["convert", input.to_str().unwrap(), output.to_str().unwrap()];
        let ran = run([&args[..], &["--no-symbols", "-q"]].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        page.browser.open(&output).unwrap();
        Some(page)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, script: &str) -> Value {
        self.browser.run(script).unwrap()
    }

    fn text(&self, selector: &str) -> String {
        let text = self.run(&format!(
            "return document.querySelector({selector:?}).textContent"
        ));
        text.as_str().unwrap().to_owned()
    }

    /// Chooses an option as a person does: what the page does then is what its listeners do.
    fn choose(&self, id: &str, option: &str) {
        let script = format!(
            "const list = document.getElementById({id:?});\
             const option = [...list.options].find((it) => it.text === {option:?});\
             list.value = option.value; list.dispatchEvent(new Event('change'));"
        );
        self.run(&script);
    }

    /// The rows of a table: the figures as text, by function.
    fn rows(&self, body: &str) -> BTreeMap<String, Vec<String>> {
        let script = format!(
            "return [...document.querySelectorAll({:?})].map((row) => \
             [...row.cells].map((cell) => cell.textContent))",
            format!("{body} tr")
        );
        let rows = self.run(&script);
        let cells = |row: &Value| -> Vec<String> {
            let cells = row.as_array().unwrap().iter();
            cells.map(|it| it.as_str().unwrap().to_owned()).collect()
        };
        let rows = rows.as_array().unwrap().iter().map(cells);
        let keyed = rows.map(|row| {
            let percent = row.iter().filter(|cell| cell.ends_with('%'));
            let name = row[row.len() - 2].clone();
            (name, percent.cloned().collect())
        });
        keyed.collect()
    }
}

/// The same rows, as `report` has them.
fn rows_of_report(input: &Path, more: &[&str]) -> BTreeMap<String, Vec<String>> {
    let rows = reported(input, more).into_iter();
    rows.map(|(own, total, name)| (name, vec![own, total]))
        .collect()
}

#[test]
fn the_figures_are_those_of_report() {
    let Some(page) = Page::of("in.perf", SCRIPT) else {
        return;
    };
    let input = page.path("in.perf");
    page.browser.click("#tab-table", None).unwrap();
    let cases: [(&str, &str, &[&str]); 5] = [
        ("cycles", "all", &[]),
        ("cycles-samples", "all", &[]),
        ("cycles", "worker (8)", &["--tid", "8"]),
        ("cycles", "all of till (9)", &["--pid", "9"]),
        ("faults", "all", &[]),
    ];
    for (event, thread, filters) in cases {
        page.choose("event", event);
        page.choose("thread", thread);
        let args = [&["--sample-type", event][..], filters].concat();
        let want = rows_of_report(&input, &args);
        assert!(!want.is_empty());
        assert_eq!(page.rows("#rows"), want, "{event} of {thread}");
    }
    // Nothing was loaded.
    let loaded = page.run("return performance.getEntriesByType('resource').length");
    assert_eq!(loaded, 0);
}

#[test]
fn clicks_zoom_and_show_callers_and_searches_find() {
    let Some(page) = Page::of("in.perf", SCRIPT) else {
        return;
    };
    page.choose("event", "cycles");
    // The first row is all; below it, `main` of the shop is the largest child.
    page.browser.click("#graph canvas", Some((30, 28))).unwrap();
    assert_eq!(page.text("#zoomed"), "main: 65.00%");
    page.browser.click("#reset", None).unwrap();
    assert_eq!(page.text("#zoomed"), "");
    // 35 of 100 are of leaf.
    page.browser.type_into("#search", "^le.f$").unwrap();
    assert_eq!(page.text("#found"), "35.00% of the samples");
    page.browser.click("#tab-table", None).unwrap();
    let found: Vec<String> = page.rows("#rows").into_keys().collect();
    assert_eq!(found, ["leaf"]);
    page.browser.click("#rows tr", None).unwrap();
    assert!(page.text("#chosen").starts_with("leaf  app  self 35.00%"));
    let callers = page.rows("#callers");
    let args = ["report", "--callers", "^leaf$", "--format", "json", "-q"];
    let input = page.path("in.perf");
    let more = [
        input.to_str().unwrap(),
        "--no-symbols",
        "--sample-type",
        "cycles",
    ];
    let lines = json(&run([&args[..], &more].concat()).stdout);
    let want: BTreeMap<String, Vec<String>> = of_type(&lines, "call")
        .iter()
        .map(|call| {
            let share = format!("{:.2}%", call["amount"].as_f64().unwrap());
            (call["caller"].as_str().unwrap().to_owned(), vec![share])
        })
        .collect();
    assert_eq!(callers, want, "{lines:?}");
    // An expression that is not whole is said, and searched for as text.
    page.browser.type_into("#search", "(").unwrap();
    let is_wrong = page.run("return document.getElementById('search').className");
    assert_eq!(is_wrong, "wrong");
}

#[test]
fn no_name_acts_on_the_page() {
    let names = [
        "</script><script>document.title='owned'</script>",
        "<img src=x onerror=document.title='owned'>",
        "a\u{202e}b",
        "<!--",
        "\u{2028}'\"`${1}",
    ];
    let lines = names.map(|name| format!("{} 5\n", name.replace(';', "\\x3b")));
    let Some(page) = Page::of("in.folded", &lines.concat()) else {
        return;
    };
    page.browser.click("#tab-table", None).unwrap();
    let rows = page.rows("#rows");
    let shown: Vec<&str> = rows.keys().map(String::as_str).collect();
    let mut want = names.map(|name| {
        let name = name.replace('\u{202e}', "\\u{202e}");
        name.replace('\u{2028}', "\\u{2028}")
    });
    want.sort();
    assert_eq!(shown, want);
    assert_eq!(page.run("return document.title"), "Profile");
    assert_eq!(page.run("return document.images.length"), 0);
}

/// Stacks of two versions of a program: `a` grew, `b` is gone, `c` is new.
const BEFORE: &str = "main;a 50\nmain;b 30\nmain;a;d 20\n";
const AFTER: &str = "main;a 6\nmain;c 3\nmain;a;d 1\n";

#[test]
fn a_comparison_has_the_figures_of_diff_and_colours_of_what_grew() {
    let Some(page) = Page::of("before.folded", BEFORE) else {
        return;
    };
    fs::write(page.path("after.folded"), AFTER).unwrap();
    let paths = ["before.folded", "after.folded", "diff.html", "diff.svg"];
    let paths = paths.map(|name| page.path(name).to_str().unwrap().to_owned());
    let [before, after, html, svg] = &paths;
    run(["diff", before, after, "-o", html, "-q"]).ok();
    page.browser.open(Path::new(html)).unwrap();
    let title = page.text("#title");
    assert_eq!(title, format!("{before} → {after}"));
    // Red for what grew, blue for what shrank: the colours of the picture.
    run(["diff", before, after, "-o", svg, "-q"]).ok();
    let picture = fs::read_to_string(svg).unwrap();
    let colours = page.run(
        "return [...document.querySelectorAll('#legend span')].map((it) => \
         [it.textContent, it.firstChild.style.background])",
    );
    for (at, name) in ["grew", "shrank", "the same"].iter().enumerate() {
        assert_eq!(colours[at][0], *name, "{colours}");
        let colour = colours[at][1].as_str().unwrap().replace(", ", ",");
        let shown = picture.find(&format!("{colour}\"")).expect(&colour);
        assert!(picture[shown..].contains(name), "{picture}");
    }
    assert!(colours[3].is_null(), "{colours}");
    // Boxes have the same colours as those of the picture, which are of the change of their own.
    let drawn = page.run(
        "main.draw(); return main.shown.map(({ node }) => \
         [node.entry < 0 ? 'all' : nameOf(node.entry), main.options.colourOf(node)])",
    );
    let boxes: BTreeMap<&str, String> = drawn.as_array().unwrap().iter().map(named).collect();
    let names: Vec<&str> = boxes.keys().copied().collect();
    assert_eq!(
        names,
        ["a", "all", "c", "d", "main"],
        "what is gone has no box"
    );
    for name in ["a", "c", "d", "main"] {
        let title = format!("<title>{name} (");
        let of_box = &picture[picture.find(&title).expect(name)..];
        let fill = of_box.split("fill=\"").nth(1).unwrap();
        let fill = fill.split('"').next().unwrap();
        assert_eq!(boxes[name].replace(' ', ","), fill, "{name}");
    }
    // The table has the rows of `diff`.
    page.browser.click("#tab-table", None).unwrap();
    let rows = page.run(
        "return [...document.querySelectorAll('#rows tr')].map((row) => \
         [...row.cells].map((cell) => cell.textContent))",
    );
    let text = run(["diff", before, after, "-q"]).ok();
    let want: Vec<Vec<&str>> = text.lines().skip(1).map(words).collect();
    assert_eq!(rows.as_array().unwrap().len(), want.len(), "{rows}");
    for (row, want) in rows.as_array().unwrap().iter().zip(&want) {
        // Own share, bar, total, what both grew, name and module.
        let got = [&row[0], &row[3], &row[4], &row[5]].map(|cell| cell.as_str().unwrap());
        assert_eq!(got, [want[1], want[2], want[3], want[4]], "{text}");
    }
    // Widths of before show what is gone.
    page.choose("event", "before");
    page.browser.click("#tab-flame", None).unwrap();
    let shown = page
        .run("return main.shown.some(({ node }) => node.entry >= 0 && nameOf(node.entry) === 'b')");
    assert_eq!(shown, true);
    // With other wholes, the shares are those of `diff` with them.
    let args = ["diff", before, after, "--normalize", "none", "-q"];
    run([&args[..], &["-o", html]].concat()).ok();
    page.browser.open(Path::new(html)).unwrap();
    let title = page.run("return document.title");
    assert!(
        title.as_str().unwrap().contains("% of the sum after"),
        "{title}"
    );
    page.browser.click("#tab-table", None).unwrap();
    let first = page.run("return document.querySelector('#rows tr').cells[3].textContent");
    let text = run(args).ok();
    // Behind what percents are of, and the titles.
    let want = words(text.lines().nth(2).unwrap());
    assert_eq!(first, want[2], "{text}");
}

fn named(pair: &Value) -> (&str, String) {
    let [name, colour] = [&pair[0], &pair[1]].map(|it| it.as_str().unwrap());
    (name, colour.to_owned())
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}
