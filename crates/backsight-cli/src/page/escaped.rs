//! JSON that stands in an HTML page.

use std::io::{self, Write};

/// Writes JSON so that nothing in it ends the element that it stands in, or begins a comment: `<`
/// is only in strings, where `\u003c` is the same.
pub(super) struct WithoutMarkup<W>(pub(super) W);

impl<W: Write> Write for WithoutMarkup<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for (nth, part) in bytes.split(|byte| *byte == b'<').enumerate() {
            if nth > 0 {
                self.0.write_all(b"\\u003c")?;
            }
            self.0.write_all(part)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::WithoutMarkup;

    #[test]
    fn no_name_ends_the_element() {
        for name in ["</script><script>alert(1)</script>", "<!--", "a<b>", "<"] {
            let mut text = Vec::new();
            serde_json::to_writer(WithoutMarkup(&mut text), name).unwrap();
            assert!(!text.contains(&b'<'), "{name}");
            let back: String = serde_json::from_slice(&text).unwrap();
            assert_eq!(back, name);
        }
    }
}
