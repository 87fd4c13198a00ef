//! The file and line in names of JIT symbols, as runtimes write them.
//!
//! ```text
//!   JS:*fib /srv/fib.js:12:13     node: kind of compilation, function, start of the function
//!   py::Shape.area:/srv/area.py   Python: function and file
//! ```
//!
//! A name is split only if it is unambiguous. Java writes neither files nor lines.

/// A name of a JIT symbol, split into its parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JitName<'n> {
    /// The function, with the prefix that gives the language and the kind of compilation.
    pub function: &'n str,
    /// The source file.
    pub file: Option<&'n str>,
    /// The line on which the function starts.
    pub start_line: Option<u32>,
}

/// Prefixes of names with which V8 writes a file and line.
const V8: [&str; 6] = [
    "JS:",
    "LazyCompile:",
    "Function:",
    "Script:",
    "Eval:",
    "Interpreter:",
];

impl<'n> JitName<'n> {
    /// Splits a name; `function` is the whole name if it is ambiguous or of an unknown form.
    #[must_use]
    pub fn of(name: &'n str) -> Self {
        let known = Self::of_v8(name).or_else(|| Self::of_python(name));
        known.unwrap_or(Self {
            function: name,
            ..Self::default()
        })
    }

    /// `KIND:FUNCTION PATH:LINE:COLUMN`. With more than one space, the start of the path is
    /// ambiguous: a getter is named `get x`, and paths may contain spaces.
    fn of_v8(name: &'n str) -> Option<Self> {
        if !V8.iter().any(|kind| name.starts_with(kind)) {
            return None;
        }
        let (function, place) = name.split_once(' ')?;
        if place.contains(' ') {
            return None;
        }
        let (place, column) = place.rsplit_once(':')?;
        let (file, line) = place.rsplit_once(':')?;
        let _column: u32 = column.parse().ok()?;
        let start_line: u32 = line.parse().ok()?;
        (!file.is_empty() && start_line > 0).then_some(Self {
            function,
            file: Some(file),
            start_line: Some(start_line),
        })
    }

    /// `py::QUALIFIED.NAME:PATH`. The name contains no colon, so the first one ends it.
    fn of_python(name: &'n str) -> Option<Self> {
        const KIND: &str = "py::";
        let (function, file) = name.strip_prefix(KIND)?.split_once(':')?;
        let end = KIND.len().checked_add(function.len())?;
        (!function.is_empty() && !file.is_empty()).then_some(Self {
            function: name.get(..end)?,
            file: Some(file),
            start_line: None,
        })
    }
}

/// Returns the process ID in the path of a map, `/tmp/perf-123.map`.
#[must_use]
pub fn pid_in_name(path: &[u8]) -> Option<u32> {
    let digits = path.strip_prefix(b"/tmp/perf-")?.strip_suffix(b".map")?;
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let digits = str::from_utf8(digits).ok().filter(|_| is_number)?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{JitName, pid_in_name};

    #[test]
    fn names_are_taken_apart_where_that_is_certain() {
        let cases = [
            (
                "JS:*fib /srv/fib.js:12:13",
                "JS:*fib",
                Some("/srv/fib.js"),
                Some(12),
            ),
            (
                "JS:^ node:internal/a:5:3",
                "JS:^",
                Some("node:internal/a"),
                Some(5),
            ),
            (
                "LazyCompile:~f file:///x.mjs:1:1",
                "LazyCompile:~f",
                Some("file:///x.mjs"),
                Some(1),
            ),
            (
                "JS:^get k /srv/fib.js:2:109",
                "JS:^get k /srv/fib.js:2:109",
                None,
                None,
            ),
            ("JS:*f /a b/c.js:1:2", "JS:*f /a b/c.js:1:2", None, None),
            ("JS:*f /a.js:0:2", "JS:*f /a.js:0:2", None, None),
            ("JS:*f /a.js:1", "JS:*f /a.js:1", None, None),
            ("Builtin:Call x:1:2", "Builtin:Call x:1:2", None, None),
            (
                "py::Shape.area:/srv/a:b.py",
                "py::Shape.area",
                Some("/srv/a:b.py"),
                None,
            ),
            (
                "py::<module>:<frozen site>",
                "py::<module>",
                Some("<frozen site>"),
                None,
            ),
            ("py::x", "py::x", None, None),
            ("int Fib.fib(int)", "int Fib.fib(int)", None, None),
            ("", "", None, None),
        ];
        for (name, function, file, start_line) in cases {
            let want = JitName {
                function,
                file,
                start_line,
            };
            assert_eq!(JitName::of(name), want, "{name}");
        }
    }

    #[test]
    fn a_map_is_told_by_its_name() {
        let cases = [
            ("/tmp/perf-123.map", Some(123)),
            ("/tmp/perf-.map", None),
            ("/tmp/perf-+1.map", None),
            ("/tmp/perf-99999999999.map", None),
            ("/srv/perf-1.map", None),
            ("/tmp/perf-1.mapx", None),
        ];
        for (name, pid) in cases {
            assert_eq!(pid_in_name(name.as_bytes()), pid, "{name}");
        }
    }
}
