//! Parses lines with numbers and addresses, and the functions that Go writes after them.

/// Maximum number of addresses in a stack.
pub(super) const MAX_FRAMES: usize = 1 << 16;

/// Parses the addresses after `@`, each with `0x`.
pub(super) fn addresses(text: &str) -> Result<Vec<u64>, &'static str> {
    let mut addrs = Vec::new();
    for word in text.split_ascii_whitespace() {
        let digits = word.strip_prefix("0x").ok_or("an address without 0x")?;
        let addr = u64::from_str_radix(digits, 16);
        addrs.push(addr.map_err(|_| "an address that is not a number of 64 bits")?);
        if addrs.len() > MAX_FRAMES {
            return Err("more than 65,536 addresses in one stack");
        }
    }
    Ok(addrs)
}

/// Parses `1: 64 [2: 128]`; `None` for anything else.
pub(super) fn four_numbers(text: &str) -> Option<[i64; 4]> {
    let (in_use, total) = text.trim_ascii().strip_suffix(']')?.split_once('[')?;
    let pair = |text: &str| {
        let (count, size) = text.split_once(':')?;
        Some([
            count.trim_ascii().parse().ok()?,
            size.trim_ascii().parse().ok()?,
        ])
    };
    let ([a, b], [c, d]) = (pair(in_use)?, pair(total)?);
    Some([a, b, c, d])
}

/// A function that is written after a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GoFrame {
    pub(super) addr: u64,
    pub(super) function: String,
    pub(super) source: Option<(String, u32)>,
}

/// Parses `# 0x4b3efa main.worker+0x1a /src/g.go:4`; `None` for other comments.
pub(super) fn go_frame(line: &str) -> Option<GoFrame> {
    let mut parts = line.strip_prefix('#')?.split_ascii_whitespace();
    let addr = parts.next()?.strip_prefix("0x")?;
    let addr = u64::from_str_radix(addr, 16).ok()?;
    let name = parts.next()?;
    let function = name.rsplit_once("+0x").map_or(name, |(name, _)| name);
    let source = parts.next().and_then(|place| {
        let (file, line) = place.rsplit_once(':')?;
        Some((file.to_owned(), line.parse().ok()?))
    });
    Some(GoFrame {
        addr,
        function: function.to_owned(),
        source,
    })
}

/// Scales a sampled count and size up to the estimated total: an allocation of `size` bytes is
/// sampled with a probability of 1 - e^(-size / rate).
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "an estimate; casts of floats saturate"
)]
pub(super) fn unsampled(count: i64, size: i64, rate: i64) -> (i64, i64) {
    if count == 0 || size == 0 {
        return (0, 0);
    }
    if rate <= 1 {
        return (count, size);
    }
    let average = size as f64 / count as f64;
    let scale = 1.0 / (1.0 - (-average / rate as f64).exp());
    ((count as f64 * scale) as i64, (size as f64 * scale) as i64)
}

#[cfg(test)]
mod tests {
    use super::{GoFrame, addresses, four_numbers, go_frame, unsampled};

    #[test]
    fn lines_are_read() {
        assert_eq!(addresses("0x1 0xff"), Ok(vec![1, 255]));
        assert!(addresses("1").is_err() && addresses("0x10000000000000000").is_err());
        assert_eq!(four_numbers("  1:   64 [ 2: -128]"), Some([1, 64, 2, -128]));
        assert_eq!(four_numbers("1: 64 [2: 128"), None);
        let want = GoFrame {
            addr: 0x4b,
            function: "main.(*T).run".to_owned(),
            source: Some(("/src/g.go".to_owned(), 4)),
        };
        assert_eq!(
            go_frame("#\t0x4b\tmain.(*T).run+0x1a\t\t/src/g.go:4"),
            Some(want)
        );
        assert_eq!(go_frame("# runtime.MemStats"), None);
        // The formula of pprof, calculated with bc.
        assert_eq!(unsampled(1, 524_288, 524_288), (1, 829_411));
        assert_eq!(unsampled(10, 640, 524_288), (81_925, 5_243_200));
    }
}
