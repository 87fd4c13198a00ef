//! Numbers in the byte order of whoever wrote them.

/// Which byte of a number goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

/// Bytes that are read from their begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers<'b> {
    order: Order,
    rest: &'b [u8],
}

impl Order {
    /// Tells the order by a number that is known.
    pub(super) fn of(bytes: &[u8], known: u32) -> Option<Self> {
        let orders = [Self::Little, Self::Big].into_iter();
        let mut orders = orders.filter(|order| order.of_bytes(bytes).u32() == Some(known));
        orders.next()
    }

    pub(super) fn of_bytes(self, rest: &[u8]) -> Numbers<'_> {
        Numbers { order: self, rest }
    }
}

impl<'b> Numbers<'b> {
    pub(super) fn u32(&mut self) -> Option<u32> {
        let bytes = self.array()?;
        Some(match self.order {
            Order::Little => u32::from_le_bytes(bytes),
            Order::Big => u32::from_be_bytes(bytes),
        })
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        let bytes = self.array()?;
        Some(match self.order {
            Order::Little => u64::from_le_bytes(bytes),
            Order::Big => u64::from_be_bytes(bytes),
        })
    }

    /// Takes what stands before the next zero, and the zero.
    pub(super) fn text(&mut self) -> Option<&'b [u8]> {
        let end = memchr::memchr(0, self.rest)?;
        let (text, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest.get(1..)?;
        Some(text)
    }

    fn array<const SIZE: usize>(&mut self) -> Option<[u8; SIZE]> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*bytes)
    }
}
