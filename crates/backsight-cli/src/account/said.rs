//! Whether and how it is said: the same flags for all commands.

use clap::ValueEnum;

/// When what a conversion came to is said, on standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// On a terminal, and elsewhere when more than one frame of twenty has no name, or
    /// something that is no sample was left out
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
    /// Always, as a line of JSON
    Json,
}

/// How a command says what it came to.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct Said {
    /// When to say on standard error how many samples were read and written, which frames
    /// have no name, what was left out, and what would help
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    account: When,

    /// Do not say it: `--account never`
    #[arg(short, long, conflicts_with = "account")]
    quiet: bool,
}

impl Said {
    pub(crate) fn when(self) -> When {
        if self.quiet {
            When::Never
        } else {
            self.account
        }
    }

    /// Whether nothing was asked for.
    pub(crate) fn is_default(self) -> bool {
        self.account == When::default() && !self.quiet
    }
}
