//! Moves an index to separate memory pages.
//!
//! Allocators rarely return freed memory to the OS, and a heap that is fragmented by the
//! tables of many indexes is hard to reuse. Pages are returned when the index is dropped.

use backsight_files::Image;

use super::table::FlatIndex;

impl FlatIndex {
    /// Moves the tables to separate pages, one by one. They are not moved if the OS does
    /// not provide the pages.
    pub(crate) fn into_pages(mut self) -> Self {
        let sizes = self.tables().map(|(_, bytes)| bytes.len());
        let size = sizes.into_iter().fold(0, usize::saturating_add);
        if self.image().is_some() || size == 0 {
            return self;
        }
        let mut places = Vec::new();
        let pages = Image::in_pages(size, |pages| {
            let mut rest = pages;
            let mut start: usize = 0;
            for (kind, bytes) in self.tables() {
                let Some((room, after)) = rest.split_at_mut_checked(bytes.len()) else {
                    return;
                };
                room.copy_from_slice(bytes);
                places.push((kind, start, bytes.len()));
                start = start.saturating_add(bytes.len());
                rest = after;
            }
        });
        let Some(pages) = pages else {
            return self;
        };
        self.change(|image, parts| {
            for (kind, start, size) in places {
                parts.place(kind, start, size);
            }
            *image = Some(pages);
        });
        self
    }
}
