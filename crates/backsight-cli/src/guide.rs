//! The sections that `--help` and the manual pages add after the options: examples, exit status,
//! files, see also. Both use one table.

mod entry;
mod look_pages;
mod pages;
mod record_page;
mod stack_page;

use clap::Command;

pub(crate) use entry::Guide;

/// Returns the guide of a subcommand.
pub(crate) fn of(command: &str) -> Option<&'static Guide> {
    pages::GUIDES.iter().find(|guide| guide.command == command)
}

/// Adds each guide to the end of its subcommand's help.
pub(crate) fn add_to(command: Command) -> Command {
    let mut command = command;
    if let Some(guide) = of("backsight") {
        command = command.after_long_help(guide.help());
    }
    for guide in pages::GUIDES {
        let said = |command: Command| command.after_long_help(guide.help());
        let names: Vec<&str> = guide.command.split(' ').collect();
        command = match *names.as_slice() {
            ["backsight"] => command,
            [name] => command.mut_subcommand(name, said),
            [name, below] => command.mut_subcommand(name, |it| it.mut_subcommand(below, said)),
            _ => command,
        };
    }
    command
}

/// Hints for words that are not subcommands, but that users may try.
const POINTERS: &[(&[&str], &str)] = &[
    (&["version"], "`backsight --version` prints the version"),
    (
        &["profile", "sample", "stat"],
        "`backsight record -o flame.svg -- PROGRAM` records one, -p PID what runs",
    ),
    (
        &["flamegraph", "flame", "svg"],
        "`backsight convert perf.data flame.svg` draws one",
    ),
    (
        &["hottest", "pprof", "tree", "callgraph"],
        "`backsight report perf.data` lists the hottest functions, --tree who calls whom",
    ),
    (
        &[
            "pstack",
            "gstack",
            "eu-stack",
            "stacks",
            "backtrace",
            "bt",
            "threads",
        ],
        "`backsight stack -p PID` prints the stacks of all threads",
    ),
    (
        &["compare"],
        "`backsight diff BEFORE AFTER` compares two profiles",
    ),
    (
        &["script"],
        "`backsight convert perf.data stacks.folded` for text",
    ),
    (
        &["disasm", "disassemble", "weblist", "source"],
        "`backsight annotate perf.data FUNCTION` shows its lines and instructions",
    ),
    (
        &["resolve", "lookup", "addr", "symbolise", "symbolicate"],
        "`backsight symbolize` converts addresses to functions and lines",
    ),
    (
        &["normalise"],
        "`backsight normalize` converts addresses to files and offsets",
    ),
    (
        &["symbols", "nm", "list"],
        "`backsight inspect FILE` lists the functions and data of a file",
    ),
    (
        &["build-id", "build_id", "buildids"],
        "`backsight buildid FILE` prints it",
    ),
    (
        &["check", "env", "info", "status"],
        "`backsight doctor` reports what this kernel and this user allow",
    ),
    (
        &["cache"],
        "`backsight index` builds, shows and verifies indexes",
    ),
];

/// Returns the hint for a word that is not a subcommand.
pub(crate) fn pointer(word: &str) -> Option<&'static str> {
    let word = word.to_ascii_lowercase();
    let known = POINTERS.iter().find(|(words, _)| words.contains(&&*word));
    known.map(|(_, way)| *way)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use clap::Command;

    use super::{POINTERS, pages::GUIDES};
    use crate::command_line::whole;

    /// Returns the visible subcommands, including nested ones.
    fn shown() -> Vec<(String, Command)> {
        let mut whole = whole();
        whole.build();
        let mut all = Vec::new();
        let visible = |it: &&Command| !it.is_hide_set() && it.get_name() != "help";
        for command in whole.get_subcommands().filter(visible) {
            all.push((command.get_name().to_owned(), command.clone()));
            for below in command.get_subcommands().filter(visible) {
                let name = format!("{} {}", command.get_name(), below.get_name());
                all.push((name, below.clone()));
            }
        }
        all
    }

    /// Returns the options of a command as typed on the command line.
    fn options(command: &Command) -> HashSet<String> {
        let long = |option: &clap::Arg| {
            let names = option.get_long_and_visible_aliases().unwrap_or_default();
            names
                .into_iter()
                .map(|name| format!("--{name}"))
                .collect::<Vec<_>>()
        };
        let short = |option: &clap::Arg| option.get_short().map(|letter| format!("-{letter}"));
        let all = command.get_arguments();
        all.flat_map(|option| long(option).into_iter().chain(short(option)))
            .collect()
    }

    /// Returns the words of a text that look like options.
    fn mentioned(text: &str) -> Vec<String> {
        let words = text.split(|at: char| at.is_whitespace() || "`'\"(),;:=[]<>|…".contains(at));
        words
            .filter(|word| {
                let letters = word.trim_start_matches('-');
                let dashes = word.len() - letters.len();
                let is_name = letters.starts_with(|first: char| first.is_ascii_alphabetic());
                is_name && (dashes == 2 || (dashes == 1 && letters.len() == 1))
            })
            .map(|word| word.trim_end_matches('.').to_owned())
            .collect()
    }

    #[test]
    fn every_subcommand_has_examples_and_an_exit_status() {
        let names: Vec<String> = shown().into_iter().map(|(name, _)| name).collect();
        for name in &names {
            let guide = super::of(name).unwrap_or_else(|| panic!("{name} has no guide"));
            assert!(!guide.examples.is_empty(), "{name}");
            assert!(!guide.exit_status.is_empty(), "{name}");
            assert!(!guide.see_also.is_empty(), "{name}");
        }
        for guide in GUIDES.iter().filter(|guide| guide.command != "backsight") {
            assert!(
                names.iter().any(|name| name == guide.command),
                "{}",
                guide.command
            );
        }
    }

    /// A phrase in backquotes that starts with another command is about that command.
    #[test]
    fn help_mentions_only_options_that_the_subcommand_has() {
        let all = shown();
        for (name, subcommand) in &all {
            let own = options(subcommand);
            let mut texts: Vec<String> = subcommand
                .get_arguments()
                .flat_map(|it| [it.get_help(), it.get_long_help()])
                .flatten()
                .map(ToString::to_string)
                .collect();
            let about = [subcommand.get_about(), subcommand.get_long_about()];
            texts.extend(about.into_iter().flatten().map(ToString::to_string));
            for text in texts {
                for (at, phrase) in text.split('`').enumerate() {
                    let of_other = at % 2 == 1 && !phrase.starts_with('-');
                    let known = match phrase.strip_prefix("backsight ") {
                        _ if !of_other => own.clone(),
                        Some(rest) => all
                            .iter()
                            .find(|(other, _)| rest.starts_with(other.as_str()))
                            .map(|(_, other)| options(other))
                            .unwrap_or_default(),
                        None => continue,
                    };
                    // The text after a pipe belongs to another command.
                    let ours = phrase.split(" | ").next().unwrap_or_default();
                    for option in mentioned(ours) {
                        assert!(known.contains(&option), "{name}: {option} in {text:?}");
                    }
                }
            }
        }
    }

    /// The backsight part of each example parses.
    #[test]
    fn examples_are_command_lines() {
        for guide in GUIDES {
            for (_, line) in guide.examples {
                let ours = line.split(['|', '>', '&', ';']).map(str::trim);
                let ours: Vec<&str> = ours.filter(|part| part.starts_with("backsight")).collect();
                assert!(!ours.is_empty(), "{line}");
                for part in ours {
                    let part = part.replace("$(pidof server)", "1 2").replace("$!", "1");
                    let words = part.split_whitespace().map(|word| word.trim_matches('\''));
                    if let Err(error) = whole().try_get_matches_from(words) {
                        assert!(!error.use_stderr(), "{line}: {error}");
                    }
                }
            }
        }
    }

    #[test]
    fn pointers_are_for_words_that_are_no_subcommands() {
        let whole = whole();
        let mut seen = HashSet::new();
        for word in POINTERS.iter().flat_map(|(words, _)| *words) {
            assert!(whole.find_subcommand(word).is_none(), "{word}");
            assert!(seen.insert(word), "{word} twice");
        }
        assert!(super::pointer("Flamegraph").is_some());
        assert_eq!(super::pointer("nonsense"), None);
    }
}
