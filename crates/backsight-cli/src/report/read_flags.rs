//! The flags of the commands that look at profiles.

use std::path::Path;

use backsight::ModuleFiles;
use backsight::account::Tally;
use backsight_profile::Profile;
use backsight_report::{Inlines, NamePattern};

use super::missing_function::MissingFunction;
use crate::account::{self, AccountFlags};
use crate::convert::{ProfileInput, ReadReport, Unfiltered, shown_value};
use crate::failure::{Done, Failure, Result, complain};
use crate::fetchers::Fetchers;
use crate::file::Shown;

/// Which profile is read, and how its functions are counted.
#[derive(Debug, clap::Args)]
pub(crate) struct ReadFlags {
    /// Count the code of inlined calls for the function that they were inlined into, as perf report
    /// does. Otherwise inlined functions have rows of their own, as in go tool pprof
    #[arg(long)]
    merge_inlines: bool,

    #[command(flatten)]
    profile: ProfileInput,

    /// Exit with code 3 if a part of an input is malformed
    #[arg(long)]
    strict: bool,

    #[command(flatten)]
    account: AccountFlags,
}

/// A profile that was read, and the value of it that is shown.
pub(crate) struct ReadProfile {
    pub(crate) profile: Profile,
    pub(crate) value: u32,
    pub(crate) malformed: u64,
    /// What there was before any filter.
    pub(crate) unfiltered: Unfiltered,
}

impl ReadFlags {
    /// Sets how many threads work, and checks that the named files can be used.
    pub(crate) fn start(&self) -> Result {
        self.profile.start()
    }

    /// Reads a profile and prints its account. With `has_one_value`, one value of the samples is
    /// shown, and others are said.
    pub(crate) fn read(&self, input: &Path, has_one_value: bool) -> Result<ReadProfile> {
        let mut tally = Tally::default();
        let read = self
            .profile
            .whole(input, false, |_| has_one_value, &mut tally)?;
        let (
            profile,
            ReadReport {
                malformed,
                left_out,
                unfiltered,
                ..
            },
        ) = read;
        let account = tally.account(&profile, left_out, self.profile.has_symbols());
        let value = shown_value(&profile).filter(|_| has_one_value);
        account::report(&account, self.account.when(), &profile, value.as_deref());
        if profile.samples.is_empty() {
            return Err(Failure::of(
                Shown(input),
                self.why_nothing(&profile, &unfiltered),
            ));
        }
        // Where functions are looked up, inlined ones are told.
        let is_told = profile.frames.iter().any(|frame| frame.inlined)
            || profile.locations.iter().any(|of| of.module.is_some());
        if self.merge_inlines && !is_told {
            let what = "the input does not say which functions were inlined";
            complain(format_args!("{}: --merge-inlines: {what}", Shown(input)));
        }
        let value = profile.default_type.unwrap_or_default();
        if has_one_value && !has_samples_of(&profile, value) {
            let what = shown_value(&profile).unwrap_or_default();
            let cause = format!("no samples of {what}: --by event lists what there is");
            return Err(Failure::of(Shown(input), cause));
        }
        Ok(ReadProfile {
            profile,
            value,
            malformed,
            unfiltered,
        })
    }

    /// Returns why there are no samples.
    fn why_nothing(&self, profile: &Profile, unfiltered: &Unfiltered) -> String {
        let Some(wanted) = self.profile.function() else {
            return unfiltered.why_nothing(profile);
        };
        let named = wanted.to_string();
        let value = profile.default_type.unwrap_or_default();
        let missing = self.missing(profile, value, &named, unfiltered);
        let advice = missing.advice(|name| wanted.is_match(name));
        format!("no samples with --function {named}{advice}")
    }

    /// Returns what can be said of a function that no sample has.
    pub(crate) fn missing<'m>(
        &self,
        profile: &'m Profile,
        value: u32,
        wanted: &'m str,
        unfiltered: &'m Unfiltered,
    ) -> MissingFunction<'m> {
        MissingFunction {
            profile,
            value,
            inlines: self.inlines(),
            wanted,
            filters: self.profile.filters_given(),
            unfiltered,
            has_symbols: self.has_symbols(),
            looks_up_less: self.profile.looks_up_less(),
        }
    }

    /// Returns where the files of modules in this input are found.
    pub(crate) fn files_of(&self, input: &Path) -> ModuleFiles {
        self.profile.files_of(input)
    }

    /// The servers and buckets that are asked for files.
    pub(crate) fn fetchers(&self) -> &Fetchers {
        self.profile.fetchers()
    }

    /// Whether functions and lines are looked up.
    pub(crate) fn has_symbols(&self) -> bool {
        self.profile.has_symbols()
    }

    /// Returns which modules samples are taken of, if not of all.
    pub(crate) fn module(&self) -> Option<&NamePattern> {
        self.profile.module()
    }

    pub(crate) fn inlines(&self) -> Inlines {
        match self.merge_inlines {
            true => Inlines::Merged,
            false => Inlines::Apart,
        }
    }

    /// Returns how the command ends.
    pub(crate) fn done(&self, malformed: u64, checked: Done) -> Done {
        Done::under(self.strict, malformed).and(checked)
    }
}

/// Whether any sample has this value: others may have been all that the filters took.
fn has_samples_of(profile: &Profile, value: u32) -> bool {
    let mut samples = profile.samples.iter();
    samples.any(|(sample, values, _)| {
        let nth = value.checked_sub(sample.first_type);
        let nth = nth.and_then(|nth| usize::try_from(nth).ok());
        nth.and_then(|nth| values.get(nth))
            .is_some_and(|it| *it != 0)
    })
}
