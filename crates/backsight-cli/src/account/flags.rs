//! The flags that control the account, common to all commands that print one.

use clap::ValueEnum;

/// When to print the account on standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// If standard error is a terminal; otherwise only if more than one frame in twenty has no
    /// name, or something other than samples was left out
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
    /// Always, as a line of JSON
    Json,
}

/// The flags that control the account.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct AccountFlags {
    /// When to print an account on standard error: how many samples were read and written, which
    /// frames have no name, what was left out, and what would help
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    account: When,

    /// Print no account; the same as `--account never`
    #[arg(short, long, conflicts_with = "account")]
    quiet: bool,
}

impl AccountFlags {
    pub(crate) fn when(self) -> When {
        if self.quiet {
            When::Never
        } else {
            self.account
        }
    }

    /// Whether neither flag was given.
    pub(crate) fn is_default(self) -> bool {
        self.account == When::default() && !self.quiet
    }
}
