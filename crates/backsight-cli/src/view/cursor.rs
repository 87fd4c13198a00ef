//! The selected row of a list, and which part of the list is on the screen.

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RowCursor {
    pub(super) selected: usize,
    /// The first row on the screen.
    pub(super) first: usize,
}

impl RowCursor {
    pub(super) fn stay_within(&mut self, len: usize) {
        self.selected = self.selected.min(len.saturating_sub(1));
    }

    /// Goes down by so many rows; up, if negative.
    pub(super) fn go(&mut self, by: isize, len: usize) {
        self.selected = self.selected.saturating_add_signed(by);
        self.stay_within(len);
    }

    /// Returns the rows on a screen with this many, which the selected one is among.
    pub(super) fn seen(&mut self, len: usize, rows: usize) -> std::ops::Range<usize> {
        self.stay_within(len);
        if self.selected < self.first {
            self.first = self.selected;
        }
        let last = self.first.saturating_add(rows.max(1));
        if self.selected >= last {
            self.first = self.selected.saturating_add(1).saturating_sub(rows.max(1));
        }
        self.first..self.first.saturating_add(rows).min(len)
    }
}

#[cfg(test)]
mod tests {
    use super::RowCursor;

    #[test]
    fn the_selected_row_is_on_the_screen() {
        let mut cursor = RowCursor::default();
        cursor.go(5, 10);
        assert_eq!(cursor.seen(10, 3), 3..6);
        cursor.go(-1, 10);
        assert_eq!(cursor.seen(10, 3), 3..6);
        cursor.go(-3, 10);
        assert_eq!((cursor.selected, cursor.seen(10, 3)), (1, 1..4));
        cursor.go(isize::MAX, 10);
        assert_eq!((cursor.selected, cursor.seen(10, 3)), (9, 7..10));
        assert_eq!(cursor.seen(0, 3), 0..0);
        assert_eq!(cursor.selected, 0);
        assert_eq!(cursor.seen(5, 0), 0..0);
    }
}
