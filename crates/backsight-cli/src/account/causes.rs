//! Why frames have no name, where, and what would help.

use backsight_types::profile::{Location, Profile};
use backsight_types::{ModuleIdx, ModuleKind, Reason};
use hashbrown::HashMap;

/// Frames without a name, and how many have one.
#[derive(Debug, Default)]
pub(crate) struct Causes {
    named: u64,
    by_reason: HashMap<Option<Reason>, u64>,
    by_module: HashMap<(ModuleIdx, Option<Reason>), u64>,
}

impl Causes {
    /// Counts a frame.
    pub(super) fn add(&mut self, profile: &Profile, location: &Location, count: u64) {
        let frames = profile.frames_of(location);
        if frames.iter().any(|frame| frame.function.is_some()) {
            self.add_named(count);
            return;
        }
        self.add_nameless(location.module, location.reason, count);
    }

    pub(super) fn add_named(&mut self, count: u64) {
        self.named = self.named.saturating_add(count);
    }

    pub(super) fn add_nameless(
        &mut self,
        module: Option<ModuleIdx>,
        reason: Option<Reason>,
        count: u64,
    ) {
        let total = self.by_reason.entry(reason).or_default();
        *total = total.saturating_add(count);
        if let Some(module) = module {
            let total = self.by_module.entry((module, reason)).or_default();
            *total = total.saturating_add(count);
        }
    }

    pub(super) fn named(&self) -> u64 {
        self.named
    }

    /// Returns how many have no name.
    pub(super) fn total(&self) -> u64 {
        self.by_reason
            .values()
            .fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// Returns the reasons, most frames first.
    pub(super) fn reasons(&self) -> Vec<(Option<Reason>, u64)> {
        let mut all: Vec<_> = self.by_reason.iter().map(|(of, n)| (*of, *n)).collect();
        all.sort_by_key(|(reason, count)| (std::cmp::Reverse(*count), name(*reason)));
        all
    }

    /// Returns the modules, most frames first, and why.
    pub(super) fn modules(&self) -> Vec<(ModuleIdx, Option<Reason>, u64)> {
        let each = self.by_module.iter();
        let mut all: Vec<_> = each.map(|((module, of), n)| (*module, *of, *n)).collect();
        all.sort_by_key(|(module, _, count)| (std::cmp::Reverse(*count), *module));
        all
    }
}

/// Returns what a reason is called.
pub(super) fn name(reason: Option<Reason>) -> &'static str {
    reason.map_or("unknown", Reason::as_str)
}

/// Returns what gives names to the frames of a module.
pub(super) fn module_s_help(kind: ModuleKind, reason: Option<Reason>) -> &'static str {
    match (kind, reason) {
        (ModuleKind::Kernel, _) => {
            "names of the running kernel alone, for root or with kernel.kptr_restrict=0"
        }
        (_, Some(Reason::NoSymbols | Reason::VdsoNoSymbols)) => "its debug package",
        (_, Some(Reason::IdentityUnproven)) => {
            "the file that was mapped, below a --root or proven by perf record --buildid-mmap"
        }
        (_, Some(Reason::Limit)) => "a higher limit",
        _ => "its file, below a --root or by build ID in a --debug-dir",
    }
}

/// Returns what helps where no module is known.
pub(super) fn reason_s_help(reason: Option<Reason>) -> Option<&'static str> {
    match reason? {
        Reason::Unmapped | Reason::NotExecutable => Some(
            "stacks that went astray: record with --call-graph dwarf, or compile with \
             -fno-omit-frame-pointer",
        ),
        Reason::Anonymous => Some("code that was made at run time has no file"),
        Reason::Kernel => Some("the kernel's mappings are recorded for root alone"),
        _ => None,
    }
}
