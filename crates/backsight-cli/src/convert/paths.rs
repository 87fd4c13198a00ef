//! Which file is read and which is written.

use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};

/// The two files, named by flags or by their order: `-i A -o B`, `A -o B`, `-i A B` and
/// `A B` mean the same.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Paths {
    /// What to read and what to write, in this order, where -i and -o do not say it
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// What to read; `-` is standard input
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,

    /// What to write, whole or not at all; `-` is standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Paths {
    pub(crate) fn new(input: PathBuf, output: PathBuf) -> Self {
        Self {
            files: Vec::new(),
            input: Some(input),
            output: Some(output),
        }
    }

    /// Returns what to read and what to write.
    pub(crate) fn both(&self) -> Result<(&Path, &Path)> {
        let mut files = self.files.iter();
        let input = self.input.as_ref().or_else(|| files.next());
        let output = self.output.as_ref().or_else(|| files.next());
        let usage = |message: &str| Err(Failure::Usage(message.to_owned()));
        match (input, output, files.next()) {
            (Some(input), Some(output), None) => Ok((input, output)),
            (_, _, Some(_)) => usage("one file is read and one is written: more are named"),
            (None, _, _) => usage("name the file to read and the one to write: convert IN OUT"),
            (_, None, _) => usage("name the file to write: -o OUT, or behind the one to read"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::Paths;

    #[test]
    fn order_stands_in_for_flags() {
        let cases = [
            ("flags", &[][..], Some("a"), Some("b"), true),
            ("an output alone", &["a"], None, Some("b"), true),
            ("an input alone", &["b"], Some("a"), None, true),
            ("neither", &["a", "b"], None, None, true),
            ("no output", &["a"], None, None, false),
            ("nothing", &[], None, None, false),
            ("one too many", &["a", "b", "c"], None, None, false),
            ("one beside the flags", &["c"], Some("a"), Some("b"), false),
        ];
        for (name, files, input, output, fits) in cases {
            let paths = Paths {
                files: files.iter().map(PathBuf::from).collect(),
                input: input.map(PathBuf::from),
                output: output.map(PathBuf::from),
            };
            let want = fits.then(|| (Path::new("a"), Path::new("b")));
            assert_eq!(paths.both().ok(), want, "{name}");
        }
    }
}
