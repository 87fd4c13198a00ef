//! Flame graphs: what stands above them, their colours, their direction, and hostile names.

mod common;

use std::collections::BTreeMap;
use std::fs;

use common::run;
use quick_xml::Reader;
use quick_xml::events::Event;

/// A recording as perf script prints it: the kernel below a function, and a library without names.
const SCRIPT: &str = "\
# hostname : shop-1
# cmdline : perf record -g ./shop --all
shop 7/7 1.000001: 10 cycles: \n\tffffffff81000010 do_thing ([kernel.kallsyms])\n\t\
1146 leaf (/app)\n\t2000 [unknown] (/lib/liba.so)\n\t2100 [unknown] (/lib/liba.so)\n\t3000 main (/app)\n\n\
shop 7/7 1.000002: 30 cycles: \n\t1150 other (/app)\n\t3000 main (/app)\n\n";

/// A box of a picture: its title, its place from the left and from the top, its width and its
/// colour.
#[derive(Clone, Debug)]
struct Frame {
    x: f64,
    y: f64,
    width: f64,
    fill: String,
}

struct Drawn {
    texts: Vec<String>,
    /// By name.
    frames: BTreeMap<String, Frame>,
    width: String,
}

/// Draws an input, and reads the picture.
fn drawn(name: &str, input: &str, flags: &[&str]) -> Drawn {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join(name), dir.path().join("out.svg"));
    fs::write(&from, input).unwrap();
    let args = ["convert", from.to_str().unwrap(), to.to_str().unwrap()];
    let ran = run([&args[..], &["-q", "--no-symbols"], flags].concat());
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""));
    read(&fs::read_to_string(to).unwrap())
}

fn read(svg: &str) -> Drawn {
    let mut drawn = Drawn {
        texts: Vec::new(),
        frames: BTreeMap::new(),
        width: String::new(),
    };
    let mut reader = Reader::from_str(svg);
    let (mut title, mut text) = (String::new(), String::new());
    loop {
        match reader.read_event().expect("well-formed") {
            Event::Start(start) | Event::Empty(start) => {
                let element = String::from_utf8(start.name().as_ref().to_vec()).unwrap();
                if element == "tspan" {
                    continue;
                }
                text.clear();
                let value = |name: &str| {
                    let found = start.try_get_attribute(name).unwrap();
                    found.map(|it| String::from_utf8(it.value.to_vec()).unwrap())
                };
                let number = |name: &str| {
                    let text = value(name).unwrap_or_default();
                    text.trim_end_matches('%').parse().unwrap_or(f64::NAN)
                };
                match &*element {
                    "svg" if drawn.width.is_empty() => drawn.width = value("width").unwrap(),
                    "rect" if !title.is_empty() => {
                        let frame = Frame {
                            x: number("x"),
                            y: number("y"),
                            width: number("width"),
                            fill: value("fill").unwrap_or_default(),
                        };
                        let name = title.rsplit_once(" (").map_or(&*title, |(name, _)| name);
                        drawn.frames.insert(name.to_owned(), frame);
                        title.clear();
                    }
                    _ => {}
                }
            }
            Event::Text(part) => text.push_str(&part.decode().unwrap()),
            Event::GeneralRef(part) => {
                let name = part.decode().unwrap().into_owned();
                text.push_str(match &*name {
                    "lt" => "<",
                    "gt" => ">",
                    "amp" => "&",
                    "quot" => "\"",
                    "apos" => "'",
                    _ => "?",
                });
            }
            Event::End(end) => {
                match end.name().as_ref() {
                    b"title" => title = text.clone(),
                    b"text" => drawn.texts.push(text.clone()),
                    b"tspan" => continue,
                    _ => {}
                }
                text.clear();
            }
            Event::Eof => return drawn,
            _ => {}
        }
    }
}

/// The colour's parts: red, green, blue.
fn parts(fill: &str) -> [u32; 3] {
    let inner = fill.trim_start_matches("rgb(").trim_end_matches(')');
    let mut parts = inner.split(',').map(|part| part.trim().parse().unwrap());
    [(); 3].map(|()| parts.next().unwrap())
}

#[test]
fn what_was_recorded_stands_above() {
    let picture = drawn("in.perf", SCRIPT, &["--sample-type", "cycles"]);
    let has = |text: &str| picture.texts.iter().any(|it| it.contains(text));
    assert!(has("2 samples · cycles"), "{:?}", picture.texts);
    let titled = drawn("in.perf", SCRIPT, &["--title", "Friday <night>"]);
    assert!(titled.texts.iter().any(|it| it == "Friday <night>"));
    let narrow = drawn("in.perf", SCRIPT, &["--width", "800"]);
    assert_eq!(narrow.width, "800");
    // A count is said once, with its event.
    let counted = drawn("in.perf", SCRIPT, &[]);
    assert!(
        counted.texts.iter().any(|it| it == "2 samples of cycles"),
        "{:?}",
        counted.texts
    );
    let folded = drawn("in.folded", "main;a 3\nmain;b 2\n", &[]);
    assert!(
        folded.texts.iter().any(|it| it == "5 samples"),
        "{:?}",
        folded.texts
    );
    // A title has the room that the picture has.
    let long = "x".repeat(500);
    let cut = drawn("in.perf", SCRIPT, &["--title", &long, "--width", "1000"]);
    let title = cut
        .texts
        .iter()
        .find(|it| it.starts_with("xx"))
        .expect("a title");
    assert!(
        title.chars().count() * 10 <= 800 && title.ends_with('…'),
        "{title}"
    );
}

#[test]
fn the_kernel_has_a_palette_and_nameless_neighbours_are_one_frame() {
    let picture = drawn("in.perf", SCRIPT, &["--sample-type", "cycles"]);
    let frame = |name: &str| picture.frames.get(name).unwrap_or_else(|| panic!("{name}"));
    // The palettes of flamegraph.pl --color java: the kernel is orange, programs are red.
    let [red, green, blue] = parts(&frame("do_thing").fill);
    assert!(
        red > 150 && green > 70 && blue == 0,
        "{:?}",
        frame("do_thing")
    );
    let [red, green, blue] = parts(&frame("other").fill);
    assert!(red > 190 && green == blue, "{:?}", frame("other"));
    assert!(picture.frames.contains_key("[liba.so]"));
    // The legend has the colours that occur.
    assert!(
        picture.texts.iter().any(|it| it == "■ kernel ■■ other"),
        "{:?}",
        picture.texts
    );
    // One row between the frame and its caller: the neighbours are one.
    let height = |name: &str| frame(name).y;
    let row = height("main") - height("other");
    assert!(row > 0.0);
    assert!((height("main") - height("[liba.so]") - row).abs() < 0.01);
    assert!((height("[liba.so]") - height("leaf") - row).abs() < 0.01);
    // A quarter and three quarters of the same place.
    let ratio = frame("other").width / frame("leaf").width;
    assert!((ratio - 3.0).abs() < 0.01, "{ratio}");
    let apart = drawn("in.perf", SCRIPT, &["--offsets"]);
    assert!(!apart.frames.contains_key("[liba.so]"));
}

#[test]
fn the_base_is_where_it_is_asked_for() {
    let up = drawn("in.perf", SCRIPT, &[]);
    assert!(up.frames["main"].y > up.frames["leaf"].y);
    let down = drawn("in.perf", SCRIPT, &["--icicle"]);
    assert!(down.frames["main"].y < down.frames["leaf"].y);
    // From the innermost: `leaf` called by nothing else stands on the kernel's function.
    let reversed = drawn("in.perf", SCRIPT, &["--reverse"]);
    assert!(reversed.frames["do_thing"].y > reversed.frames["leaf"].y);
    assert!((reversed.frames["other"].x - reversed.frames["leaf"].x).abs() > 1.0);
}

#[test]
fn hostile_texts_are_well_formed() {
    let title = "</svg><script>&\u{1b}[2J\u{ffff}";
    let names = "a\u{1}<b>&\"';\u{202e}x 4\n</title> 5\n";
    let picture = drawn("in.folded", names, &["--title", title]);
    let want = "</svg><script>&\\x1b[2J\u{fffd}";
    assert!(
        picture.texts.iter().any(|it| it == want),
        "{:?}",
        picture.texts
    );
    assert!(
        picture.frames.contains_key("</title>"),
        "{:?}",
        picture.frames
    );
}

#[test]
fn folded_stacks_are_marked_if_asked() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("in.perf");
    fs::write(&from, SCRIPT).unwrap();
    let args = [
        "convert",
        from.to_str().unwrap(),
        "-",
        "--to",
        "folded",
        "-q",
    ];
    let ran = run([&args[..], &["--no-symbols", "--annotate"]].concat());
    assert!(ran.ok().contains(";leaf;do_thing_[k] "));
}
