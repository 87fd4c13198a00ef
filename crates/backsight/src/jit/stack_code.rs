//! Which code that was made at run time an address of a stack means.

use backsight_types::{AbsAddr, Lookup};

/// Returns what `at` has for an address of a stack, `begins_at` telling where that begins.
///
/// A return address is behind its call, which may be the last of its function: so the byte
/// before it counts. But where code begins exactly there, it means that code. Erlang's machine
/// starts a process with the address of `normal_exit/0` on its stack, which nothing called, and
/// the byte before it is of a header. (The function of a call that never returns, with no byte
/// between its end and the next function, loses its name to that one, as it does in `perf`.
/// V8 and the JVM have headers between functions, Erlang too.)
pub(crate) fn stack_code<T>(
    addr: AbsAddr,
    lookup: Lookup,
    at: impl Fn(AbsAddr) -> Option<T>,
    begins_at: impl Fn(&T) -> bool,
) -> Option<T> {
    match lookup {
        Lookup::Return => at(addr)
            .filter(begins_at)
            .or_else(|| at(AbsAddr(addr.0.checked_sub(1)?))),
        _ => at(addr),
    }
}

#[cfg(test)]
mod tests {
    use backsight_types::{AbsAddr, Lookup};

    use super::stack_code;

    #[test]
    fn a_return_address_means_what_begins_there_or_what_is_before_it() {
        let codes = [(10_u64, 20_u64), (20, 30), (40, 50)];
        let at = |addr: AbsAddr| {
            let found = codes
                .iter()
                .position(|(start, end)| (*start..*end).contains(&addr.0));
            found.map(|index| (index, addr.0 - codes[index].0))
        };
        let code = |addr, lookup| {
            let found = stack_code(AbsAddr(addr), lookup, at, |(_, offset)| *offset == 0);
            found.map(|(index, _)| index)
        };
        for (addr, exact, after_call) in [
            (0, None, None),
            (9, None, None),
            (10, Some(0), Some(0)),
            (11, Some(0), Some(0)),
            (20, Some(1), Some(1)),
            (30, None, Some(1)),
            (31, None, None),
            (40, Some(2), Some(2)),
            (50, None, Some(2)),
        ] {
            assert_eq!(code(addr, Lookup::Exact), exact, "{addr}");
            assert_eq!(code(addr, Lookup::Return), after_call, "{addr}");
        }
    }
}
