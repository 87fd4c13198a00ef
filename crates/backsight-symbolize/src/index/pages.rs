//! An index in pages of its own.
//!
//! What an allocator is given back it keeps for the next who asks, and memory that is
//! cut up by tables of many indexes, some let go of and some not, it can hardly give to
//! anyone. Pages go back to the system with the index.

use memmap2::MmapMut;

use super::table::Index;
use crate::image::Image;

impl Index {
    /// Moves the tables into pages of their own, table by table. They stay where they are
    /// if the system has no such pages to give.
    pub(crate) fn into_pages(mut self) -> Self {
        let sizes = self.tables().map(|(_, bytes)| bytes.len());
        let size = sizes.into_iter().fold(0, usize::saturating_add);
        if self.image().is_some() || size == 0 {
            return self;
        }
        let Ok(mut pages) = MmapMut::map_anon(size) else {
            return self;
        };
        let mut start: usize = 0;
        let places = self.tables().map(|(kind, bytes)| {
            let place = (kind, start, bytes.len());
            let end = start.saturating_add(bytes.len());
            if let Some(room) = pages.get_mut(start..end) {
                room.copy_from_slice(bytes);
            }
            start = end;
            place
        });
        self.change(|image, parts| {
            for (kind, start, size) in places {
                parts.place(kind, start, size);
            }
            *image = Some(Image::Pages(pages));
        });
        self
    }
}
