//! Files that `perf inject --jit` makes of a jitdump: `jitted-PID-N.so`, one for each piece of code.

/// Returns the process that made the code in a file of this path; `None` if it is no such file.
pub(crate) fn maker_of(path: &[u8]) -> Option<u32> {
    let name = path.rsplit(|byte| *byte == b'/').next()?;
    let numbers = name.strip_prefix(b"jitted-")?.strip_suffix(b".so")?;
    let (pid, number) = str::from_utf8(numbers).ok()?.split_once('-')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    pid.parse()
        .ok()
        .filter(|_| is_number(pid) && is_number(number))
}

#[cfg(test)]
mod tests {
    use super::maker_of;

    #[test]
    fn they_are_told_by_their_names() {
        let cases = [
            ("/tmp/jitted-123-4.so", Some(123)),
            ("/srv/.debug/jit/node-jit-1/jitted-123-0.so", Some(123)),
            ("jitted-1-2.so", Some(1)),
            ("/tmp/jitted-+1-2.so", None),
            ("/tmp/jitted-1-.so", None),
            ("/tmp/jitted-1-x.so", None),
            ("/tmp/jitted-1.so", None),
            ("/tmp/jitted-1-2.so.1", None),
            ("/tmp/jitted-99999999999-1.so", None),
            ("/tmp/jitted-1-2.so/lib.so", None),
        ];
        for (path, pid) in cases {
            assert_eq!(maker_of(path.as_bytes()), pid, "{path}");
        }
    }
}
