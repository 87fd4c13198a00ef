//! What the view shows, and how keys change it. Nothing here knows the terminal.

use backsight_profile::{Profile, Samples};
use backsight_report::{
    CallTree, Direction, Inlines, NamePattern, ReportEntry, ReportRow, ReportTable, RowKind,
    SampleFilter, events,
};

use super::cursor::RowCursor;
use super::menu::{Choice, Menu, tasks};
use super::tree_pane::TreePane;
use crate::report::{Measured, amounts};
use crate::screen::Screen;

/// The profile, and what of it is on the screen.
pub(super) struct ViewModel {
    pub(super) profile: Profile,
    /// All samples; those of the profile are of the chosen threads.
    samples: Samples,
    filter: SampleFilter,
    /// The name of the chosen threads.
    pub(super) of: Option<String>,
    pub(super) value: u32,
    inlines: Inlines,
    pub(super) by: RowKind,
    pub(super) sorts_by_total: bool,
    pub(super) table: ReportTable,
    /// What is measured and how much of it there is, as `report` says it.
    pub(super) amounts: String,
    screen: Screen,
    /// The rows of the table that the search finds.
    pub(super) rows: Vec<usize>,
    pub(super) cursor: RowCursor,
    /// What is on top of the table; the last is on the screen.
    pub(super) pages: Vec<ViewPage>,
    pub(super) search: String,
    pattern: Option<NamePattern>,
}

/// A page above the table.
pub(super) enum ViewPage {
    /// All stacks, from the outermost functions on, or from the innermost.
    Tree(TreePane, Direction),
    /// Who calls a function, and what it calls.
    Function {
        row: ReportRow,
        /// Callers, callees.
        sides: [TreePane; 2],
        /// The side that keys go to.
        side: usize,
    },
    Menu(Menu),
    Help,
}

impl ViewModel {
    pub(super) fn new(profile: Profile, value: u32, inlines: Inlines, screen: Screen) -> Self {
        let mut model = Self {
            samples: profile.samples.clone(),
            profile,
            filter: SampleFilter::default(),
            of: None,
            value,
            inlines,
            by: RowKind::Function,
            sorts_by_total: false,
            table: ReportTable::default(),
            amounts: String::new(),
            screen,
            rows: Vec::new(),
            cursor: RowCursor::default(),
            pages: Vec::new(),
            search: String::new(),
            pattern: None,
        };
        model.sum();
        model
    }

    /// Shows another profile of the same kind: what was chosen stays.
    pub(super) fn replace(&mut self, profile: Profile) {
        let selected = self.selected().map(|row| self.name(&row.entry));
        self.samples = profile.samples.clone();
        self.profile = profile;
        self.filter.apply(&mut self.profile);
        // Pages are of entries of the profile before.
        let function = match self.pages.first() {
            Some(ViewPage::Function { row, .. }) => Some(row.entry),
            _ => None,
        };
        self.pages.retain(|page| matches!(page, ViewPage::Help));
        self.sum();
        let is_it = |row: &ReportRow| Some(self.name(&row.entry)) == selected;
        let found = self
            .rows
            .iter()
            .position(|at| self.table.rows.get(*at).is_some_and(is_it));
        if let Some(found) = found {
            self.cursor.selected = found;
        }
        if function.is_some() {
            self.enter();
        }
    }

    /// Sums the samples anew.
    fn sum(&mut self) {
        let table = ReportTable::of(&self.profile, self.value, self.by, self.inlines);
        self.table = match self.sorts_by_total {
            true => table.by_total(),
            false => table,
        };
        self.amounts = amounts(&self.profile, self.value, self.table.whole, &self.screen);
        self.find();
    }

    fn find(&mut self) {
        let rows = self.table.rows.iter().enumerate();
        let rows = rows.filter(|(_, row)| row.own != 0 || row.total != 0);
        let rows = rows.filter(|(_, row)| self.search.is_empty() || self.is_found(&row.entry));
        self.rows = rows.map(|(at, _)| at).collect();
        self.cursor.stay_within(self.rows.len());
    }

    pub(super) fn name(&self, entry: &ReportEntry) -> String {
        entry.name(&self.profile, self.by).into_owned()
    }

    /// Whether an entry is searched for.
    pub(super) fn is_found(&self, entry: &ReportEntry) -> bool {
        !self.search.is_empty() && {
            let name = entry.name(&self.profile, self.by);
            match &self.pattern {
                Some(pattern) => pattern.is_match(&name),
                None => name.to_lowercase().contains(&self.search.to_lowercase()),
            }
        }
    }

    /// Whether the text is searched for as it is, since it is no expression.
    pub(super) fn is_literal(&self) -> bool {
        !self.search.is_empty() && self.pattern.is_none()
    }

    pub(super) fn set_search(&mut self, text: String) {
        self.pattern = NamePattern::new(&format!("(?i){text}")).ok();
        self.search = text;
        self.find();
    }

    pub(super) fn selected(&self) -> Option<&ReportRow> {
        self.table.rows.get(*self.rows.get(self.cursor.selected)?)
    }

    pub(super) fn change_order(&mut self) {
        self.sorts_by_total = !self.sorts_by_total;
        self.sum();
    }

    pub(super) fn change_rows(&mut self) {
        self.by = match self.by {
            RowKind::Function => RowKind::Module,
            RowKind::Module => RowKind::Line,
            RowKind::Line => RowKind::Thread,
            RowKind::Thread => RowKind::Process,
            _ => RowKind::Function,
        };
        self.cursor = RowCursor::default();
        self.sum();
    }

    pub(super) fn show_tree(&mut self, direction: Direction) {
        let by = RowKind::Function;
        let least = |whole: i64| whole.saturating_abs() / 10_000;
        let tree = CallTree::of(
            &self.profile,
            self.value,
            by,
            self.inlines,
            direction,
            least,
        );
        self.by = by;
        self.sum();
        self.pages
            .push(ViewPage::Tree(TreePane::of(tree), direction));
    }

    /// Opens what is selected: a function's callers and callees, or the choice of a menu.
    pub(super) fn enter(&mut self) {
        match self.pages.last() {
            Some(ViewPage::Menu(menu)) => {
                let choice = menu.chosen().cloned();
                self.pages.pop();
                if let Some(choice) = choice {
                    self.choose(choice);
                }
                return;
            }
            Some(ViewPage::Help) => {
                self.pages.pop();
                return;
            }
            _ => {}
        }
        if self.by != RowKind::Function {
            return;
        }
        let entry = match self.pages.last() {
            Some(ViewPage::Tree(pane, _)) => pane.selected().map(|node| node.entry),
            Some(ViewPage::Function { sides, side, .. }) => {
                let pane = sides.get(*side);
                pane.and_then(TreePane::selected).map(|node| node.entry)
            }
            _ => self.selected().map(|row| row.entry),
        };
        let Some(entry) = entry else { return };
        let rows = &self.table.rows;
        let Some(row) = rows.iter().find(|row| row.entry == entry).copied() else {
            return;
        };
        let side = |direction| {
            let (profile, value) = (&self.profile, self.value);
            TreePane::of(CallTree::around(
                profile,
                value,
                &entry,
                self.inlines,
                direction,
            ))
        };
        let sides = [side(Direction::Callers), side(Direction::Callees)];
        self.pages.push(ViewPage::Function {
            row,
            sides,
            side: 0,
        });
    }

    pub(super) fn show_events(&mut self) {
        let choices = events(&self.profile).into_iter().map(|event| {
            let measured = Measured::of(&self.profile, event.value);
            let text = format!("{:>16}  {}", measured.amount(event.sum), measured.kind);
            (text, Choice::Value(event.value))
        });
        let menu = Menu::new("events and values", choices.collect());
        self.pages.push(ViewPage::Menu(menu));
    }

    pub(super) fn show_threads(&mut self) {
        // Of all samples, whichever are chosen.
        let chosen = std::mem::replace(&mut self.profile.samples, self.samples.clone());
        let menu = Menu::new("processes and threads", tasks(&self.profile, self.value));
        self.profile.samples = chosen;
        self.pages.push(ViewPage::Menu(menu));
    }

    fn choose(&mut self, choice: Choice) {
        match choice {
            Choice::Value(value) => self.value = value,
            Choice::Tasks(filter, name) => {
                self.profile.samples = self.samples.clone();
                self.filter = *filter;
                self.filter.apply(&mut self.profile);
                self.of = name;
            }
        }
        self.pages.clear();
        self.sum();
    }

    /// The list that keys go to: its cursor, and its length.
    pub(super) fn list(&mut self) -> (&mut RowCursor, usize) {
        match self.pages.last_mut() {
            Some(ViewPage::Tree(pane, _)) => {
                let len = pane.len();
                (&mut pane.cursor, len)
            }
            Some(ViewPage::Function {
                sides: [callers, callees],
                side,
                ..
            }) => {
                let pane = if *side == 0 { callers } else { callees };
                let len = pane.len();
                (&mut pane.cursor, len)
            }
            Some(ViewPage::Menu(menu)) => {
                let len = menu.choices.len();
                (&mut menu.cursor, len)
            }
            _ => (&mut self.cursor, self.rows.len()),
        }
    }

    /// The tree that keys go to.
    pub(super) fn tree(&mut self) -> Option<&mut TreePane> {
        match self.pages.last_mut() {
            Some(ViewPage::Tree(pane, _)) => Some(pane),
            Some(ViewPage::Function { sides, side, .. }) => sides.get_mut(*side),
            _ => None,
        }
    }

    pub(super) fn change_side(&mut self) {
        if let Some(ViewPage::Function { side, .. }) = self.pages.last_mut() {
            *side = 1 - *side;
        }
    }
}
