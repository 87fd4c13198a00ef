//! Protobuf messages written by hand, so that they can be malformed.

/// A message under construction.
#[derive(Clone, Default)]
pub(crate) struct Message(pub(crate) Vec<u8>);

impl Message {
    /// Adds a varint field.
    pub(crate) fn number(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    /// Adds a length-delimited field: a string, packed numbers, or a message.
    pub(crate) fn bytes(mut self, field: u64, value: impl AsRef<[u8]>) -> Self {
        self.varint(field << 3 | 2);
        self.varint(value.as_ref().len() as u64);
        self.0.extend_from_slice(value.as_ref());
        self
    }

    /// Adds a message with these varint fields, given by number and value.
    pub(crate) fn message(self, field: u64, numbers: &[(u64, u64)]) -> Self {
        let rows = numbers.iter();
        let inner = rows.fold(Self::default(), |inner, (field, value)| {
            inner.number(*field, *value)
        });
        self.bytes(field, inner.0)
    }

    fn varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}
