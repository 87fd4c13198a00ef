//! The path of a source file, as line programs write it: in parts.

use crate::name::lossy;

/// What a file's path is joined from, as the line program has it.
#[derive(Clone, Copy, Debug, Default)]
pub struct PathParts<'d> {
    /// The compilation directory.
    pub comp_dir: Option<&'d [u8]>,
    /// The directory, which may begin at the compilation directory.
    pub dir: Option<&'d [u8]>,
    /// The name, which may begin at either.
    pub name: &'d [u8],
}

impl PathParts<'_> {
    /// Returns the path, unless it has more than `limit` bytes.
    pub fn join(&self, limit: usize) -> Option<String> {
        join([self.comp_dir, self.dir, Some(self.name)], limit)
    }

    /// Returns the path without the file's name, unless it has more than `limit` bytes.
    pub fn join_directory(&self, limit: usize) -> Option<String> {
        join([self.comp_dir, self.dir, None], limit)
    }

    /// Returns where each part stands and how long it is: the same for parts that
    /// are the same bytes of the file.
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
    // Room for what separates them too, as far as the limit lets it be a path.
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

/// Puts `part` behind `path`, or in its place when it is absolute, in the manner
/// of Unix or of Windows: cross compilers write both.
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

/// Returns whether a path begins at a root, in either manner.
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
