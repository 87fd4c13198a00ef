//! What keys do.

use backsight_report::Direction;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::model::{ViewModel, ViewPage};

/// Whether keys are typed into the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Typing {
    Keys,
    Search,
}

/// Whether the view goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    Stay,
    Quit,
}

/// Does what a key says. `rows` is the number of rows on the screen.
pub(super) fn press(
    model: &mut ViewModel,
    typing: &mut Typing,
    key: KeyEvent,
    rows: usize,
) -> After {
    if is_interrupt(key) {
        return After::Quit;
    }
    if *typing == Typing::Search {
        type_into_search(model, typing, key.code);
        return After::Stay;
    }
    let page = isize::try_from(rows.max(2)).unwrap_or(isize::MAX) - 1;
    let go = |model: &mut ViewModel, by: isize| {
        let (cursor, len) = model.list();
        cursor.go(by, len);
    };
    match key.code {
        KeyCode::Char('q') => return After::Quit,
        KeyCode::Up | KeyCode::Char('k') => go(model, -1),
        KeyCode::Down | KeyCode::Char('j') => go(model, 1),
        KeyCode::PageUp => go(model, -page),
        KeyCode::PageDown | KeyCode::Char(' ') => go(model, page),
        KeyCode::Home | KeyCode::Char('g') => go(model, isize::MIN),
        KeyCode::End | KeyCode::Char('G') => go(model, isize::MAX),
        KeyCode::Right | KeyCode::Char('l') => {
            if let Some(tree) = model.tree() {
                tree.open();
            }
        }
        KeyCode::Left | KeyCode::Char('h') => {
            if let Some(tree) = model.tree() {
                tree.close();
            }
        }
        KeyCode::Char('*') => {
            if let Some(tree) = model.tree() {
                tree.open_all();
            }
        }
        KeyCode::Tab | KeyCode::BackTab => model.change_side(),
        KeyCode::Enter => model.enter(),
        KeyCode::Char('s') => model.change_order(),
        KeyCode::Char('b') if model.pages.is_empty() => model.change_rows(),
        KeyCode::Char('t') => model.show_threads(),
        KeyCode::Char('e') => model.show_events(),
        KeyCode::Char('c') => model.show_tree(Direction::Callees),
        KeyCode::Char('r') => model.show_tree(Direction::Callers),
        KeyCode::Char('?') => model.pages.push(ViewPage::Help),
        KeyCode::Char('/') => {
            *typing = Typing::Search;
            model.set_search(String::new());
        }
        KeyCode::Esc | KeyCode::Backspace if model.pages.pop().is_none() => {
            model.set_search(String::new());
        }
        _ => {}
    }
    After::Stay
}

/// Does what a key says while there is nothing to see yet.
pub(super) fn press_while_waiting(key: KeyEvent) -> After {
    match is_interrupt(key) || key.code == KeyCode::Char('q') {
        true => After::Quit,
        false => After::Stay,
    }
}

/// In this mode the terminal sends no signals.
fn is_interrupt(key: KeyEvent) -> bool {
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    is_control && matches!(key.code, KeyCode::Char('c' | 'd'))
}

fn type_into_search(model: &mut ViewModel, typing: &mut Typing, code: KeyCode) {
    let mut text = model.search.clone();
    match code {
        KeyCode::Enter | KeyCode::Down | KeyCode::Up => *typing = Typing::Keys,
        KeyCode::Esc => {
            *typing = Typing::Keys;
            model.set_search(String::new());
        }
        KeyCode::Backspace => {
            text.pop();
            model.set_search(text);
        }
        KeyCode::Char(c) => {
            text.push(c);
            model.set_search(text);
        }
        _ => {}
    }
}
