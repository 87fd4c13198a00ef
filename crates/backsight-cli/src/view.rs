//! `backsight view`: a profile on the terminal, with keys.
//!
//! ```text
//!   keys ──▶ ViewModel ──▶ draw ──▶ terminal
//!              └ ReportTable, CallTree
//! ```

mod cursor;
mod draw;
mod keys;
mod menu;
mod model;
mod terminal;
mod tree_pane;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use backsight_profile::Profile;
use backsight_report::Inlines;

use crate::failure::{Failure, Result};
use crate::interrupt;
use crate::report::{ReadFlags, ReadProfile};
use crate::screen::Screen;
use crate::unechoed_keys::UnechoedKeys;

use draw::Look;
use keys::{After, Typing};
use model::ViewModel;
use terminal::{Pressed, ViewTerminal};

/// Look at a profile on the terminal: sort, search, callers and callees, call trees, events and
/// threads
///
/// Takes every input of `convert`, and filters as it does. `?` shows the keys. The figures are
/// those of `report`, which writes them as text.
#[derive(Debug, clap::Args)]
pub(crate) struct View {
    /// The input file
    #[arg(value_name = "FILE", default_value = "perf.data")]
    input: PathBuf,

    #[command(flatten)]
    read: ReadFlags,
}

/// How long keys are waited for before signals are looked for.
const WAIT: Duration = Duration::from_millis(200);

impl View {
    pub(crate) fn run(self, _out: &mut impl Write) -> Result {
        let checked = self.read.start()?;
        // Keys that are pressed meanwhile are for the view, and not text between its messages.
        let _unechoed = UnechoedKeys::take();
        let ReadProfile {
            profile,
            value,
            malformed,
            ..
        } = self.read.read(&self.input, false)?;
        let title = self.input.to_string_lossy().into_owned();
        let way_out = "backsight report writes text";
        let mut view = LiveView::start("view", way_out, title, self.read.inlines())?;
        view.show(profile, value);
        while view.turn(WAIT)? {}
        Ok(self.read.done(malformed, checked))
    }
}

/// The view on a terminal, whose profile may be replaced.
pub(crate) struct LiveView {
    terminal: ViewTerminal,
    look: Look,
    inlines: Inlines,
    model: Option<ViewModel>,
    typing: Typing,
    rows: usize,
}

impl LiveView {
    /// Takes the terminal. `way_out` says what does without one.
    pub(crate) fn start(
        command: &str,
        way_out: &str,
        title: String,
        inlines: Inlines,
    ) -> Result<Self> {
        let screen = Screen::of_stdout();
        let has_colours =
            crate::palette::Palette::of_stdout() != crate::palette::Palette::default();
        let look = Look {
            screen,
            has_colours,
            title,
        };
        Ok(Self {
            terminal: ViewTerminal::take(command, way_out)?,
            look,
            inlines,
            model: None,
            typing: Typing::Keys,
            rows: 0,
        })
    }

    pub(crate) fn set_title(&mut self, title: String) {
        self.look.title = title;
    }

    /// Shows a profile. What was chosen in the one before stays.
    pub(crate) fn show(&mut self, profile: Profile, value: u32) {
        match &mut self.model {
            Some(model) => model.replace(profile),
            None => {
                self.model = Some(ViewModel::new(
                    profile,
                    value,
                    self.inlines,
                    self.look.screen,
                ))
            }
        }
    }

    /// Draws, and does what a key says, if one comes within `wait`. Returns whether the view goes
    /// on.
    pub(crate) fn turn(&mut self, wait: Duration) -> Result<bool> {
        let (look, typing) = (&self.look, self.typing);
        let mut rows = self.rows;
        let model = &mut self.model;
        let drawn = self.terminal.drawn.draw(|frame| match model {
            Some(model) => rows = draw::draw(model, look, typing, frame),
            None => frame.render_widget("waiting for samples; q quits", frame.area()),
        });
        drawn.map_err(|error| Failure::io("the terminal", &error))?;
        self.rows = rows;
        let key = match self.terminal.key(wait)? {
            Pressed::Key(key) => key,
            Pressed::Nothing => return Ok(!interrupt::is_called_off()),
            Pressed::Gone => return Ok(false),
        };
        let after = match &mut self.model {
            Some(model) => keys::press(model, &mut self.typing, key, self.rows),
            None => keys::press_while_waiting(key),
        };
        Ok(after == After::Stay && !interrupt::is_called_off())
    }
}
