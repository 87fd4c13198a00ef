//! A thread whose stack is to be taken, and how much memory that needs.

use super::stack_memory::Window;
use super::thread_stack::ThreadStack;

/// How much of a stack is copied first, in bytes. Few stacks have more.
const FIRST_COPY: usize = 32 << 10;

/// How many times more is copied when that was not enough.
const GROWTH: usize = 16;

/// How many parts of other memory are copied: a signal handler may have a stack of its own, and
/// interrupt another one.
const MAX_OTHERS: usize = 8;

const PAGE: u64 = 4096;

/// The most that is read at once, in bytes: a word that is half copied is not.
const WORD: usize = 8;

/// A thread whose stack is to be taken, or to be taken again with more memory.
#[derive(Debug)]
pub(super) struct WantedStack {
    pub(super) thread: ThreadStack,
    /// How much memory from its stack pointer up.
    size: usize,
    /// Memory elsewhere that its walk asked for.
    others: Vec<Window>,
    /// The most of one part.
    most: usize,
}

/// Whether memory that a walk asked for is copied the next time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Growth {
    /// It is.
    Grown,
    /// It is beyond the limit of bytes.
    Bounded,
    /// It cannot be read.
    Unreadable,
}

impl WantedStack {
    pub(super) fn new(thread: ThreadStack, most: usize) -> Self {
        Self {
            thread,
            size: most.min(FIRST_COPY),
            others: Vec::new(),
            most,
        }
    }

    /// Returns what is copied of a thread with this stack pointer. `mapped` is how much is mapped
    /// from an address up, in bytes.
    pub(super) fn windows(&self, sp: u64, mapped: impl Fn(u64) -> usize) -> Vec<Window> {
        let of_stack = Window::of_stack(sp, self.size.min(mapped(sp)));
        let others = self.others.iter().map(|other| Window {
            size: other.size.min(mapped(other.start)),
            ..*other
        });
        std::iter::once(of_stack).chain(others).collect()
    }

    /// Asks for memory at `addr` that was missing in the walk of a stack.
    pub(super) fn grow(&mut self, sp: u64, addr: u64, mapped: impl Fn(u64) -> usize) -> Growth {
        let above = |start: u64| {
            let above = usize::try_from(addr.checked_sub(start)?).ok()?;
            (above < mapped(start)).then_some(above)
        };
        let most = self.most;
        let grown = |size: &mut usize, above: usize| {
            if above >= most {
                return Growth::Bounded;
            }
            if above.saturating_add(WORD) <= *size {
                // It was copied as far as it can be read.
                return Growth::Unreadable;
            }
            let wanted = above.saturating_add(FIRST_COPY);
            *size = size.saturating_mul(GROWTH).max(wanted).min(most);
            Growth::Grown
        };
        if let Some(above) = above(sp) {
            return grown(&mut self.size, above);
        }
        for other in &mut self.others {
            if let Some(above) = above(other.start) {
                return grown(&mut other.size, above);
            }
        }
        if self.others.len() >= MAX_OTHERS {
            return Growth::Bounded;
        }
        self.others.push(Window {
            start: addr & !PAGE.saturating_sub(1),
            size: most.min(FIRST_COPY),
        });
        Growth::Grown
    }
}

#[cfg(test)]
mod tests {
    use super::{FIRST_COPY, GROWTH, Growth, WantedStack};
    use crate::stacks::thread_stack::ThreadStack;

    #[test]
    fn what_is_copied_grows_up_to_the_limit() {
        let most = 1 << 20;
        let mut wanted = WantedStack::new(ThreadStack::unread(1, Vec::new()), most);
        let sp = 0x10_0000;
        // 2 MiB are mapped from there.
        let mapped = |addr: u64| usize::try_from(0x30_0000_u64.saturating_sub(addr)).unwrap();
        let first = wanted.windows(sp, mapped);
        assert_eq!((first.len(), first[0].size), (1, FIRST_COPY + 128));
        let mut ask = |above: u64| wanted.grow(sp, sp + above, mapped);
        assert_eq!(ask(8), Growth::Unreadable);
        // A half of this word was copied.
        assert_eq!(ask(FIRST_COPY as u64 - 4), Growth::Grown);
        assert_eq!(ask(FIRST_COPY as u64), Growth::Unreadable);
        assert_eq!(ask((FIRST_COPY * GROWTH) as u64), Growth::Grown);
        assert_eq!(ask(most as u64), Growth::Bounded);
        assert_eq!(wanted.windows(sp, mapped)[0].size, most + 128);
        // Elsewhere, as the stack that a signal handler interrupted.
        assert_eq!(wanted.grow(sp, 0x1234, |_| 1 << 16), Growth::Grown);
        assert_eq!(wanted.windows(sp, mapped)[1].start, 0x1000);
    }
}
