//! The guide of one subcommand, and its text form.

/// The guide of one subcommand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guide {
    /// Its name; for a nested subcommand such as `index build`, both words.
    pub(crate) command: &'static str,
    /// For each example: what it does, and the command line.
    pub(crate) examples: &'static [(&'static str, &'static str)],
    pub(crate) exit_status: &'static [(&'static str, &'static str)],
    pub(crate) files: &'static [(&'static str, &'static str)],
    pub(crate) see_also: &'static [&'static str],
}

impl Guide {
    /// The sections, each with a heading and its entries.
    pub(crate) fn sections(&self) -> Vec<(&'static str, Vec<(String, String)>)> {
        let own = |rows: &[(&str, &str)]| {
            let row = |(term, text): &(&str, &str)| ((*term).to_owned(), (*text).to_owned());
            rows.iter().map(row).collect::<Vec<_>>()
        };
        let see_also = self.see_also.join(", ");
        let see_also = (!see_also.is_empty()).then_some((see_also, String::new()));
        let all = [
            ("Examples", own(self.examples)),
            ("Exit status", own(self.exit_status)),
            ("Files", own(self.files)),
            ("See also", see_also.into_iter().collect()),
        ];
        let filled = all.into_iter().filter(|(_, rows)| !rows.is_empty());
        filled.collect()
    }

    pub(super) fn help(&self) -> String {
        let mut help = String::new();
        for (heading, rows) in self.sections() {
            if !help.is_empty() {
                help.push('\n');
            }
            help.push_str(&format!("{heading}:\n"));
            for (term, text) in rows {
                let line = match heading {
                    "Examples" => format!("  # {term}\n  {text}\n"),
                    "See also" => format!("  {term}\n"),
                    _ => format!("  {term:<22} {text}\n"),
                };
                help.push_str(&line);
            }
        }
        help
    }
}
