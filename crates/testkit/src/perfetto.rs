//! Traces of Perfetto, encoded by hand after its `.proto` files.

/// A message in protobuf that is being written.
#[derive(Clone, Debug, Default)]
pub struct Message(Vec<u8>);

impl Message {
    /// Adds a number.
    #[must_use]
    pub fn number(mut self, field: u64, number: u64) -> Self {
        self.varint(field << 3);
        self.varint(number);
        self
    }

    /// Adds bytes, a text or a message.
    #[must_use]
    pub fn bytes(mut self, field: u64, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Returns the packet of a sequence at a time.
#[must_use]
pub fn packet(sequence: u64, time: u64) -> Message {
    Message::default().number(8, time).number(10, sequence)
}

/// Returns the file with these packets.
#[must_use]
pub fn trace(packets: &[Message]) -> Vec<u8> {
    let add = |trace: Message, packet: &Message| trace.bytes(1, packet);
    packets.iter().fold(Message::default(), add).0
}

/// Returns an interned string.
#[must_use]
pub fn text(iid: u64, text: impl AsRef<[u8]>) -> Message {
    Message::default().number(1, iid).bytes(2, text)
}

/// Returns a mapping with the build ID and the parts of its path, by their IDs.
#[must_use]
pub fn mapping(iid: u64, build_id: u64, path: &[u64]) -> Message {
    let mapping = Message::default().number(1, iid).number(2, build_id);
    path.iter().fold(mapping, |row, part| row.number(7, *part))
}

/// Returns a frame: the ID of its name or 0, that of its mapping, and its address.
#[must_use]
pub fn frame(iid: u64, function: u64, mapping: u64, rel_pc: u64) -> Message {
    let frame = Message::default().number(1, iid).number(2, function);
    frame.number(3, mapping).number(4, rel_pc)
}

/// Returns a callstack, outermost frame first; its IDs are packed if `is_packed`.
#[must_use]
pub fn callstack(iid: u64, frames: &[u64], is_packed: bool) -> Message {
    let row = Message::default().number(1, iid);
    if is_packed {
        let mut packed = Message::default();
        frames.iter().for_each(|id| packed.varint(*id));
        return row.bytes(2, packed);
    }
    frames.iter().fold(row, |row, id| row.number(2, *id))
}

/// Returns a sample of `linux.perf`.
#[must_use]
pub fn perf_sample(pid: u64, tid: u64, callstack: u64) -> Message {
    let sample = Message::default().number(1, 0).number(2, pid);
    sample.number(3, tid).number(4, callstack)
}

/// A field of a message: its number, and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// A number.
    Number(u64),
    /// Bytes, a text or a message.
    Bytes(Vec<u8>),
}

/// Reads a message of numbers and bytes.
///
/// # Panics
/// When it has anything else.
#[must_use]
pub fn fields(mut message: &[u8]) -> Vec<(u64, Field)> {
    let mut all = Vec::new();
    let varint = |message: &mut &[u8]| {
        let mut number = 0;
        for at in 0.. {
            let (first, rest) = message.split_first().expect("a whole varint");
            *message = rest;
            number |= u64::from(first & 0x7f) << (7 * at);
            if first & 0x80 == 0 {
                break;
            }
        }
        number
    };
    while !message.is_empty() {
        let key = varint(&mut message);
        let value = match key & 7 {
            0 => Field::Number(varint(&mut message)),
            2 => {
                let length = varint(&mut message);
                let (bytes, rest) = message.split_at(length as usize);
                message = rest;
                Field::Bytes(bytes.to_vec())
            }
            other => panic!("wire type {other}"),
        };
        all.push((key >> 3, value));
    }
    all
}
