//! The file and line in names of JIT symbols, as runtimes write them.
//!
//! ```text
//!   JS:*fib /srv/fib.js:12:13     node: kind of compilation, function, start of the function
//!   JS:^ /srv/fib.js:14:20        node: a function without a name
//!   py::Shape.area:/srv/area.py   Python: function and file
//! ```
//!
//! A name is split only if it is unambiguous. Java writes neither files nor lines.

use std::borrow::Cow;

/// A name of a JIT symbol, split into its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JitName<'n> {
    /// The function, with the prefix that gives the language and the kind of compilation. One
    /// without a name of its own is called by its place: `JS:^(anonymous) fib.js:14:20`.
    pub function: Cow<'n, str>,
    /// The source file.
    pub file: Option<&'n str>,
    /// The line on which the function starts.
    pub start_line: Option<u32>,
    /// The column at which the function starts.
    pub start_column: Option<u32>,
}

/// Prefixes of names with which V8 writes a file and line.
const V8: [&str; 6] = [
    "JS:",
    "LazyCompile:",
    "Function:",
    SCRIPT,
    EVAL,
    "Interpreter:",
];
/// The code of a script outside of its functions, and that of a text.
const SCRIPT: &str = "Script:";
const EVAL: &str = "Eval:";

/// What V8 writes between the prefix and the function: how the code was compiled.
const TIERS: [char; 6] = ['~', '^', '*', '+', '-', '\''];

/// How the paths and addresses of scripts begin, if they have blanks.
const PATHS: [&str; 3] = ["/", "file://", "node:"];

impl<'n> JitName<'n> {
    /// Splits a name; `function` is the whole name if it is ambiguous or of an unknown form.
    #[must_use]
    pub fn of(name: &'n str) -> Self {
        let known = Self::of_v8(name).or_else(|| Self::of_python(name));
        known.unwrap_or(Self {
            function: name.into(),
            ..Self::default()
        })
    }

    /// `KIND:FUNCTION PATH:LINE:COLUMN`.
    fn of_v8(name: &'n str) -> Option<Self> {
        let kind = V8.iter().find(|kind| name.starts_with(**kind))?;
        let (place, column) = name.rsplit_once(':')?;
        let (text, line) = place.rsplit_once(':')?;
        let (start_line, start_column): (u32, u32) = (line.parse().ok()?, column.parse().ok()?);
        let (function, file) = split_path(text)?;
        if file.is_empty() || start_line == 0 {
            return None;
        }
        let own = function.strip_prefix(kind)?.trim_start_matches(TIERS);
        let function: Cow<'n, str> = if own.is_empty() {
            let base = file.rsplit('/').next().unwrap_or(file);
            let what = match *kind {
                SCRIPT | EVAL => "",
                _ => "(anonymous)",
            };
            format!("{function}{what} {base}:{line}:{column}").into()
        } else {
            function.into()
        };
        Some(Self {
            function,
            file: Some(file),
            start_line: Some(start_line),
            start_column: Some(start_column),
        })
    }

    /// `py::QUALIFIED.NAME:PATH`. The name contains no colon, so the first one ends it.
    fn of_python(name: &'n str) -> Option<Self> {
        const KIND: &str = "py::";
        let (function, file) = name.strip_prefix(KIND)?.split_once(':')?;
        let end = KIND.len().checked_add(function.len())?;
        (!function.is_empty() && !file.is_empty()).then_some(Self {
            function: name.get(..end)?.into(),
            file: Some(file),
            ..Self::default()
        })
    }
}

/// Splits `FUNCTION PATH` at its blank. With several of them (a getter is named `get x`, folders
/// may have blanks), it is the one before the beginning of a path, if there is one such blank:
/// with `GET /users /srv/a.js` and `f /srv /a.js`, nothing says which.
fn split_path(text: &str) -> Option<(&str, &str)> {
    let is_path = |after: &str| PATHS.iter().any(|path| after.starts_with(path));
    let mut blanks = text.match_indices(' ').map(|(at, _)| at);
    let only = blanks.next().filter(|_| blanks.next().is_none());
    let mut before_paths = text.match_indices(' ').filter_map(|(at, blank)| {
        let after = text.get(at.checked_add(blank.len())?..)?;
        is_path(after).then_some(at)
    });
    let before_path = || {
        before_paths
            .next()
            .filter(|_| before_paths.next().is_none())
    };
    let (function, rest) = text.split_at_checked(only.or_else(before_path)?)?;
    Some((function, rest.strip_prefix(' ')?))
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
                "/srv/fib.js",
                12,
                13,
            ),
            (
                "LazyCompile:~f file:///x.mjs:1:1",
                "LazyCompile:~f",
                "file:///x.mjs",
                1,
                1,
            ),
            // Without a name: called by the place.
            (
                "JS:^ node:internal/a:5:3",
                "JS:^(anonymous) a:5:3",
                "node:internal/a",
                5,
                3,
            ),
            (
                "JS:*' /srv/fib.js:5:3",
                "JS:*'(anonymous) fib.js:5:3",
                "/srv/fib.js",
                5,
                3,
            ),
            (
                "LazyCompile:~ a.js:5:3",
                "LazyCompile:~(anonymous) a.js:5:3",
                "a.js",
                5,
                3,
            ),
            (
                "Script:~ /srv/fib.js:1:1",
                "Script:~ fib.js:1:1",
                "/srv/fib.js",
                1,
                1,
            ),
            ("Eval:~ [eval]:1:1", "Eval:~ [eval]:1:1", "[eval]", 1, 1),
            // Blanks in the name, the path or both.
            (
                "JS:^get k /srv/fib.js:2:109",
                "JS:^get k",
                "/srv/fib.js",
                2,
                109,
            ),
            ("JS:*f /a b/c.js:1:2", "JS:*f", "/a b/c.js", 1, 2),
            (
                "JS:*get f file:///a b/c.js:1:2",
                "JS:*get f",
                "file:///a b/c.js",
                1,
                2,
            ),
            ("JS:*get f node:a:1:2", "JS:*get f", "node:a", 1, 2),
            (
                "JS:^ /a b/c.js:1:2",
                "JS:^(anonymous) c.js:1:2",
                "/a b/c.js",
                1,
                2,
            ),
            (
                "JS:*f evalmachine.<anonymous>:1:2",
                "JS:*f",
                "evalmachine.<anonymous>",
                1,
                2,
            ),
        ];
        for (name, function, file, line, column) in cases {
            let want = JitName {
                function: function.into(),
                file: Some(file),
                start_line: Some(line),
                start_column: Some(column),
            };
            assert_eq!(JitName::of(name), want, "{name}");
        }
        let cases = [
            (
                "py::Shape.area:/srv/a:b.py",
                "py::Shape.area",
                "/srv/a:b.py",
            ),
            (
                "py::<module>:<frozen site>",
                "py::<module>",
                "<frozen site>",
            ),
        ];
        for (name, function, file) in cases {
            let want = JitName {
                function: function.into(),
                file: Some(file),
                ..JitName::default()
            };
            assert_eq!(JitName::of(name), want, "{name}");
        }
        let whole = [
            // Of two beginnings of paths, and of none.
            "JS:*GET /users /srv/a.js:1:2",
            "JS:*f /a /c.js:1:2",
            "JS:*get f [eval]:1:2",
            "JS:*f /a.js:0:2",
            "JS:*f /a.js:1",
            "JS:*f /a.js:x:2",
            "JS:*f :1:2",
            "JS:*f:1:2",
            "Builtin:Call x:1:2",
            "py::x",
            "int Fib.fib(int)",
            "",
        ];
        for name in whole {
            let want = JitName {
                function: name.into(),
                ..JitName::default()
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
