//! Packs a pending address and its position in the wave into one number, which sorts
//! faster than a pair and takes half the memory.
//!
//! ```text
//!   63             place_bits       0
//!   ├ address without low bits ┼ position ┤
//! ```

use backsight_types::AbsAddr;

/// An address and its position.
pub(crate) type Packed = u64;

/// The layout of the packed number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packing {
    place_bits: u32,
    /// The number of low address bits that have no room. It is at most 12, the bits
    /// within a page, and a page belongs to one VMA. Mappings smaller than a page, which
    /// only forged texts have, cost extra queries, never wrong answers.
    dropped_bits: u32,
}

/// The maximum number of positions: with more, bits above the page offset would be
/// dropped.
pub(crate) const MAX_PLACES: usize = 1 << 19;

/// All user addresses are below 2 to this power on every machine that Linux runs on.
const USER_BITS: u32 = 57;

/// Returns whether sorting the packed numbers sorts the addresses by page. `all_bits` are
/// the bits of all addresses, combined by OR.
pub(crate) fn keeps_order(all_bits: u64) -> bool {
    all_bits.wrapping_shr(USER_BITS) == 0
}

impl Packing {
    /// Returns the layout for this many positions.
    pub(crate) fn of(places: usize) -> Self {
        let place_bits = places.min(MAX_PLACES).next_power_of_two().trailing_zeros();
        let room = u64::BITS.saturating_sub(place_bits);
        Self {
            place_bits,
            dropped_bits: USER_BITS.saturating_sub(room),
        }
    }

    /// Packs an address and its position.
    #[inline]
    pub(crate) fn pack(self, addr: AbsAddr, place: u64) -> Packed {
        let shortened = addr.0.wrapping_shr(self.dropped_bits);
        shortened.wrapping_shl(self.place_bits) | place
    }

    /// Returns the position in a packed number.
    #[inline]
    pub(crate) fn place_of(self, packed: Packed) -> usize {
        let above = u64::MAX.wrapping_shl(self.place_bits);
        usize::try_from(packed & !above).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use backsight_types::AbsAddr;

    use super::{MAX_PLACES, Packing, keeps_order};

    #[test]
    fn numbers_are_in_the_order_of_pages_and_keep_their_places() {
        let highest = (1_u64 << 57) - 1;
        for places in [1, 2, 64, 512, 4096, 32_768, MAX_PLACES] {
            let packing = Packing::of(places);
            let last = places as u64 - 1;
            for page in [0, 1, 0x5555_5555_4000 >> 12, (highest >> 12) - 1] {
                let below = packing.pack(AbsAddr((page << 12) | 0xfff), last);
                let above = packing.pack(AbsAddr((page + 1) << 12), 0);
                assert!(below < above, "{page:#x} of {places}");
                assert_eq!(packing.place_of(below), places - 1);
                assert_eq!(packing.place_of(above), 0);
            }
        }
        assert!(keeps_order(highest));
        assert!(!keeps_order(highest + 1));
    }
}
