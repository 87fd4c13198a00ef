//! How stacks are written and drawn.

use backsight_formats::folded::{Options, RootFrame};
use clap::ValueEnum;

use super::format::Output;
use crate::failure::{Failure, Result};

/// How folded stacks, flame graphs and pages look.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct StackFlags {
    /// The root frame of folded stacks and flame graphs [default: process]
    #[arg(long, alias = "lead", value_enum, value_name = "WHAT")]
    root_frame: Option<RootFrameArg>,

    /// Stacks of each thread for itself: the same as `--root-frame thread`
    #[arg(long, conflicts_with = "root_frame")]
    per_thread: bool,

    /// In folded stacks, mark what code a function is of, as `stackcollapse-perf.pl --all` does:
    /// `_[k]` the kernel, `_[i]` inlined, `_[j]` made at run time. Flame graphs have a colour for
    /// each of them
    #[arg(long)]
    annotate: bool,

    /// In flame graphs, name frames without a function by their offset in the module. Otherwise
    /// neighbours of the same module are one frame, such as `[libc.so.6]`
    #[arg(long)]
    offsets: bool,

    /// The title of a flame graph or page [default: the command that was recorded, if the input
    /// says it]
    #[arg(long, value_name = "TEXT")]
    pub(super) title: Option<String>,

    /// Draw a flame graph with its base at the top
    #[arg(long)]
    pub(super) icicle: bool,

    /// Draw a flame graph from the innermost functions to their callers
    #[arg(long)]
    pub(super) reverse: bool,

    /// The width of a flame graph in pixels [default: 1200, and then that of the window]
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(200..=100_000))]
    pub(super) width: Option<u32>,
}

/// The root frame of folded stacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RootFrameArg {
    /// The name of the process
    Process,
    /// The name of the thread, and both IDs
    Thread,
    /// No extra frame: stacks start with their outermost function
    None,
}

/// The outputs in which a flag has an effect.
type Effect = (&'static str, &'static [Output]);

impl StackFlags {
    /// Returns each flag, whether it was given, and where it has an effect.
    fn effects(&self) -> [(Effect, bool); 8] {
        // Without `..`, so that a new flag has to be added here.
        let Self {
            root_frame,
            per_thread,
            annotate,
            offsets,
            title,
            icicle,
            reverse,
            width,
        } = self;
        let stacks = &[Output::Folded, Output::Svg][..];
        let graph = &[Output::Svg][..];
        [
            (("--root-frame", stacks), root_frame.is_some()),
            (("--per-thread", stacks), *per_thread),
            (("--annotate", &[Output::Folded]), *annotate),
            (("--offsets", graph), *offsets),
            (("--title", &[Output::Svg, Output::Html]), title.is_some()),
            (("--icicle", graph), *icicle),
            (("--reverse", graph), *reverse),
            (("--width", graph), width.is_some()),
        ]
    }

    /// Checks that each flag that was given has an effect in this output.
    pub(super) fn check(&self, to: Output) -> Result<()> {
        for ((flag, outputs), is_given) in self.effects() {
            if is_given && !outputs.contains(&to) {
                let names: Vec<&str> = outputs.iter().map(|output| output.ending()).collect();
                return Err(Failure::Usage(format!(
                    "{flag} has no effect in this output: it is for {}",
                    names.join(" and ")
                )));
            }
        }
        Ok(())
    }

    pub(super) fn folded(&self) -> Options {
        let root_frame = match self.root_frame {
            _ if self.per_thread => RootFrame::Thread,
            None | Some(RootFrameArg::Process) => RootFrame::Process,
            Some(RootFrameArg::Thread) => RootFrame::Thread,
            Some(RootFrameArg::None) => RootFrame::None,
        };
        let options = Options::default().with_root_frame(root_frame);
        options.with_annotated(self.annotate)
    }

    /// Those of stacks that are drawn.
    pub(super) fn drawn(&self) -> Options {
        let options = self.folded().with_annotated(true);
        options.with_modules_alone(!self.offsets)
    }
}

#[cfg(test)]
mod tests {
    use clap::Args as _;

    use super::StackFlags;

    #[test]
    fn each_flag_says_where_it_has_an_effect() {
        let command = StackFlags::augment_args(clap::Command::new("convert"));
        let flags = command.get_arguments().filter_map(|it| it.get_long());
        let mut flags: Vec<String> = flags.map(|flag| format!("--{flag}")).collect();
        let effects = StackFlags::default().effects();
        let mut known: Vec<&str> = effects.iter().map(|((flag, _), _)| *flag).collect();
        flags.sort_unstable();
        known.sort_unstable();
        assert_eq!(flags, known);
        assert!(effects.iter().all(|((_, outputs), _)| !outputs.is_empty()));
    }
}
