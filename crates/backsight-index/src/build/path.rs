//! The path of a source file, in the parts that line programs have.

use crate::name::lossy;

/// The parts of a file's path in the line program.
#[derive(Clone, Copy, Debug, Default)]
pub struct PathParts<'d> {
    /// The compilation directory.
    pub comp_dir: Option<&'d [u8]>,
    /// The directory, which may be relative to the compilation directory.
    pub dir: Option<&'d [u8]>,
    /// The name, which may be relative to either directory.
    pub name: &'d [u8],
}

impl PathParts<'_> {
    /// Returns the path; `None` if it has more than `limit` bytes.
    pub fn join(&self, limit: usize) -> Option<String> {
        join([self.comp_dir, self.dir, Some(self.name)], limit)
    }

    /// Returns the path of the directory; `None` if it has more than `limit` bytes.
    pub fn join_directory(&self, limit: usize) -> Option<String> {
        join([self.comp_dir, self.dir, None], limit)
    }

    /// Returns the address and length of each part. They are equal for parts that are the
    /// same bytes of the file.
    pub fn addresses(&self) -> [(usize, usize); 3] {
        let place = |part: &[u8]| (part.as_ptr().addr(), part.len());
        let optional = |part: Option<&[u8]>| part.map_or((0, 0), place);
        [
            optional(self.comp_dir),
            optional(self.dir),
            place(self.name),
        ]
    }
}

fn join(parts: [Option<&[u8]>; 3], limit: usize) -> Option<String> {
    let sizes = parts.iter().flatten().map(|part| part.len());
    // Includes the separators, but does not exceed the limit.
    let room = sizes.fold(parts.len(), usize::saturating_add);
    let mut path = String::with_capacity(room.min(limit));
    for part in parts.into_iter().flatten() {
        if part.len() > limit {
            return None;
        }
        push_path(&mut path, &lossy(part));
    }
    (path.len() <= limit).then_some(path)
}

/// Appends `part` to `path`, or replaces `path` if `part` is absolute. Handles paths of
/// Unix and of Windows, as cross compilers write both.
fn push_path(path: &mut String, part: &str) {
    if is_absolute(part.as_bytes()) {
        path.clear();
    } else {
        let separator = if is_of_windows(path.as_bytes()) {
            '\\'
        } else {
            '/'
        };
        if !path.is_empty() && !path.ends_with(separator) {
            path.push(separator);
        }
    }
    path.push_str(part);
}

/// Returns whether a path is absolute, on Unix or on Windows.
pub fn is_absolute(path: &[u8]) -> bool {
    path.starts_with(b"/") || path.get(1..3) == Some(b":/") || is_of_windows(path)
}

fn is_of_windows(path: &[u8]) -> bool {
    path.starts_with(b"\\") || path.get(1..3) == Some(b":\\")
}

#[cfg(test)]
mod tests {
    use super::push_path;

    #[test]
    fn an_absolute_part_replaces_the_path() {
        let cases = [
            ("", "a.c", "a.c"),
            ("/src", "a.c", "/src/a.c"),
            ("/src/", "a.c", "/src/a.c"),
            ("/src", "../a.c", "/src/../a.c"),
            ("/src", "/b/a.c", "/b/a.c"),
            ("C:\\src", "a.c", "C:\\src\\a.c"),
            ("/src", "C:\\a.c", "C:\\a.c"),
            ("/src", "C:/a.c", "C:/a.c"),
            ("/src", "", "/src/"),
        ];
        for (path, part, want) in cases {
            let mut joined = path.to_owned();
            push_path(&mut joined, part);
            assert_eq!(joined, want, "{path} and {part}");
        }
    }
}
