//! The cookie in a call chain that stands for the user part, which is in a later record.

use backsight_types::trace::marker;

use crate::bytes::Bytes;

/// Returns the offset of the cookie's marker in a call chain, in bytes, if a cookie follows it.
pub(super) fn cookie_at(chain: &[u8], big: bool) -> Option<usize> {
    let mut at = Bytes::new(chain, big);
    while let Some(number) = at.u64() {
        if number == marker::USER_DEFERRED {
            let behind = at.rest().len().checked_add(8)?;
            return at.u64().and(chain.len().checked_sub(behind));
        }
    }
    None
}

/// Returns the cookie in a call chain.
pub(super) fn cookie_of(chain: &[u8], big: bool) -> Option<u64> {
    let at = cookie_at(chain, big)?.checked_add(8)?;
    Bytes::new(chain.get(at..)?, big).u64()
}
