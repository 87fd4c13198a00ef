//! GSYM files, version 1, written by hand: functions with a name and no lines.

/// A function: its address, its size and its name.
pub(crate) type Function<'n> = (u64, u32, &'n str);

/// Returns the file of these functions, whose addresses ascend. `count` is what the header says,
/// if it says another number of them.
pub(crate) fn gsym(functions: &[Function<'_>], count: Option<u32>) -> Vec<u8> {
    let number = |size: usize| u32::try_from(size).expect("small");
    let base = functions.first().map_or(0, |first| first.0);
    let mut texts = vec![0];
    let mut names = Vec::new();
    for (_, _, name) in functions {
        names.push(number(texts.len()));
        texts.extend(name.as_bytes());
        texts.push(0);
    }
    let addresses = 48;
    let infos = addresses + functions.len() * 8;
    // No files.
    let texts_at = infos + functions.len() * 4 + 4;
    let data_at = (texts_at + texts.len()).next_multiple_of(4);
    let mut bytes = b"MYSG\x01\x00\x08\x04".to_vec();
    bytes.extend(base.to_le_bytes());
    bytes.extend(count.unwrap_or(number(functions.len())).to_le_bytes());
    bytes.extend(number(texts_at).to_le_bytes());
    bytes.extend(number(texts.len()).to_le_bytes());
    bytes.extend([1, 2, 3, 4]);
    bytes.resize(addresses, 0);
    for (addr, ..) in functions {
        bytes.extend((addr - base).to_le_bytes());
    }
    for at in 0..functions.len() {
        bytes.extend(number(data_at + at * 16).to_le_bytes());
    }
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend(&texts);
    bytes.resize(data_at, 0);
    for ((_, size, _), name) in functions.iter().zip(names) {
        // Its size and name, and the end of its data.
        for word in [*size, name, 0, 0] {
            bytes.extend(word.to_le_bytes());
        }
    }
    bytes
}
