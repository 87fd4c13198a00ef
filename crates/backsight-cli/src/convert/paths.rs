//! The paths of the input and output files.

use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};

/// The two files, given by flags or by position: `-i A -o B`, `A -o B`, `-i A B` and `A B` mean
/// the same.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Paths {
    /// The input and output files in this order, unless given by -i and -o
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// The input file; `-` is standard input
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,

    /// The output file, written completely or not at all; `-` is standard output
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

    /// Returns the input and the output path.
    pub(crate) fn both(&self) -> Result<(&Path, &Path)> {
        let mut files = self.files.iter();
        let input = self.input.as_ref().or_else(|| files.next());
        let output = self.output.as_ref().or_else(|| files.next());
        let usage = |message: &str| Err(Failure::Usage(message.to_owned()));
        match (input, output, files.next()) {
            (Some(input), Some(output), None) => Ok((input, output)),
            (_, _, Some(_)) => usage("give one input and one output file: more are named"),
            (None, _, _) => usage("give an input and an output file: convert IN OUT"),
            (_, None, _) => usage("give an output file: -o OUT, or after the input file"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::Paths;

    #[test]
    fn positions_replace_flags() {
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
