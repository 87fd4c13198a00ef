//! Perf maps as runtimes wrote them, which a machine with tests may not have.

use std::borrow::Cow;
use std::io::BufReader;

use backsight_formats::perf_map::{JitName, LastLine, Limits, PerfMap};
use backsight_types::AbsAddr;
use testkit::fixture;

/// The functions of the script in the fixtures' recipe, and their files.
const SHAPES: [(&str, &str); 13] = [
    ("py::<module>", "/srv/shapes.py"),
    ("py::Shape", "/srv/shapes.py"),
    ("py::Shape.area", "/srv/shapes.py"),
    ("py::fib", "/srv/shapes.py"),
    ("py::Shape.k", "/srv/shapes.py"),
    ("py::Shape.k.<locals>.<lambda>", "/srv/shapes.py"),
    ("py::gen", "/srv/shapes.py"),
    ("py::größe", "/srv/shapes.py"),
    ("py::größe.<locals>.<lambda>", "/srv/shapes.py"),
    ("py::<module>", "<made here>"),
    ("py::made", "<made here>"),
    ("py::<module>", "a folder/b:c.py"),
    ("py::odd", "a folder/b:c.py"),
];

#[test]
fn each_function_of_python_has_its_name_and_file() {
    for version in ["3.12", "3.13"] {
        let text = fixture(&format!("perf_maps/python-{version}.map"));
        let mut map = PerfMap::default();
        let read = map.read(BufReader::new(&*text), LastLine::Whole, &Limits::default());
        assert_eq!(read.expect("readable"), text.len() as u64);
        let lines: Vec<_> = text.split(|byte| *byte == b'\n').collect();
        let lines = &lines[..lines.len() - 1];
        assert_eq!(map.len(), lines.len(), "{version}: each line is an entry");
        let mut found = Vec::new();
        for line in lines {
            let line = std::str::from_utf8(line).expect("UTF-8");
            let mut words = line.splitn(3, ' ');
            let mut number = || u64::from_str_radix(words.next().expect("a word"), 16);
            let (start, size) = (number().expect("a number"), number().expect("a number"));
            let name = words.next().expect("a name");
            for addr in [start, start + size - 1] {
                let entry = map.at(AbsAddr(addr)).expect("covered");
                let is_it =
                    (entry.start.0, entry.size, entry.name) == (start, size, name.as_bytes());
                assert!(is_it, "{version}: {addr:x} is {entry:?}");
            }
            // The trampolines of 3.13 have 16 bytes, of which 11 are named.
            assert_eq!(size, 11, "{version}");
            let name = JitName::of(name);
            assert!(name.function.starts_with("py::"), "{version}: {line}");
            assert_eq!(name.start_line, None, "{version}: {line}");
            let Cow::Borrowed(function) = name.function else {
                panic!("{version}: each function has a name: {line}");
            };
            found.push((function, name.file.unwrap_or_default()));
        }
        let first = found.len() - SHAPES.len();
        assert_eq!(found[first..], SHAPES, "{version}");
        // The rest is of Python itself: `<frozen …>`, and code of a text, `<string>`.
        let is_own = |(_, file): &(&str, &str)| file.starts_with('<');
        assert!(found[..first].iter().all(is_own), "{version}");
    }
}
