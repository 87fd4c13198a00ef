//! Instructions are where `llvm-objdump` finds them, and are called as it calls them.

use std::process::Command;

use backsight_disassemble::{Instruction, InstructionSet, instructions};
use backsight_types::VirtOffset;

const SOURCE: &str = "
typedef unsigned long size;
static size table[64];
extern size other(size, size);
size mixed(size count, const unsigned char *bytes) {
    size sum = 0;
    for (size at = 0; at < count; at++) {
        sum = sum * 31 + bytes[at];
        if (sum & 1) table[sum % 64] += other(sum, at);
        else sum ^= sum >> 7;
    }
    return sum;
}
double real(double a, const float *of, int count) {
    for (int at = 0; at < count; at++) a = a * 0.5 + of[at];
    return a;
}
int chosen(int kind, int a, int b) {
    switch (kind) {
    case 0: return a + b; case 1: return a - b; case 2: return a * b;
    case 3: return a << (b & 7); case 4: return a >> (b & 7); case 5: return a ^ b;
    case 6: return b ? a / b : 0; case 7: return a & b;
    }
    return -1;
}
void copied(char *to, const char *from, size count) { while (count--) *to++ = *from++; }
";

/// An instruction as the other tool lists it.
#[derive(Debug)]
struct Listed {
    address: u64,
    size: usize,
    text: String,
}

/// Compiles the source for a target, and returns the bytes of its code and their listing.
fn compiled(target: &str, more: &[&str]) -> Result<(Vec<u8>, Vec<Listed>), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("code.c"), SOURCE).map_err(|error| error.to_string())?;
    let run = |command: &mut Command| -> Result<String, String> {
        let ran = command.current_dir(dir.path()).output();
        let ran = ran.map_err(|error| format!("{command:?}: {error}"))?;
        match ran.status.success() {
            true => Ok(String::from_utf8_lossy(&ran.stdout).into_owned()),
            false => Err(format!(
                "{command:?}: {}",
                String::from_utf8_lossy(&ran.stderr)
            )),
        }
    };
    let mut clang = Command::new("clang");
    clang.args([
        "-c",
        "-O2",
        "-fno-jump-tables",
        "-fno-asynchronous-unwind-tables",
    ]);
    run(clang
        .arg(format!("--target={target}"))
        .args(more)
        .args(["code.c", "-o", "code.o"]))?;
    let mut objcopy = Command::new("llvm-objcopy");
    run(objcopy.args(["-O", "binary", "--only-section=.text", "code.o", "code.bin"]))?;
    let listing = run(Command::new("llvm-objdump").args(["-d", "--section=.text", "code.o"]))?;
    let code = std::fs::read(at("code.bin")).map_err(|error| error.to_string())?;
    Ok((code, listing.lines().filter_map(listed).collect()))
}

/// Reads a line of a listing: `10: 48 89 e5  movq  %rsp, %rbp`, with a tab before the text.
fn listed(line: &str) -> Option<Listed> {
    let (address, rest) = line.split_once(": ")?;
    let address = u64::from_str_radix(address.trim(), 16).ok()?;
    let (bytes, text) = rest.split_once('\t')?;
    let digits: String = bytes.chars().filter(char::is_ascii_hexdigit).collect();
    Some(Listed {
        address,
        size: digits.len() / 2,
        text: text.replace('\t', " "),
    })
}

fn operation(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or_default()
}

/// Compares a target; `is_same` compares two names of an operation.
fn compare(target: &str, more: &[&str], machine: InstructionSet, is_same: fn(&str, &str) -> bool) {
    let (code, listed) = match compiled(target, more) {
        Ok(made) => made,
        Err(why) => return testkit::skip(&why),
    };
    assert!(listed.len() > 60, "{target}: {} instructions", listed.len());
    let found: Vec<Instruction> = instructions(&code, VirtOffset(0), machine).collect();
    let mut differ = Vec::new();
    for (found, listed) in found.iter().zip(&listed) {
        assert_eq!(
            (found.address.0, usize::from(found.size)),
            (listed.address, listed.size),
            "{target}: {found:?}, {listed:?}"
        );
        if !is_same(operation(&found.text), operation(&listed.text)) {
            differ.push(format!("{} / {}", found.text, listed.text));
        }
        // The other tool writes the target of a jump as `0x40 <name+0x12>`.
        let target_of = |text: &str| {
            let (digits, _) = text.split_once(" <")?;
            let digits = digits.rsplit(['x', ' ']).next()?;
            u64::from_str_radix(digits, 16).ok()
        };
        if let (Some(target), true) = (target_of(&listed.text), found.target.is_some()) {
            assert_eq!(
                found.target,
                Some(VirtOffset(target)),
                "{found:?}, {listed:?}"
            );
        }
    }
    assert_eq!(found.len(), listed.len(), "{target}");
    assert_eq!(differ, [""; 0], "{target}");
}

/// One writes the width behind the name (`movq`) where operands tell it, the other does not.
fn is_same_of_x86(one: &str, other: &str) -> bool {
    let plain = |name: &str| name.trim_end_matches(['b', 'w', 'l', 'q']).to_owned();
    // GNU's objdump has this name for `nop` with a prefix, too.
    one == other || plain(one) == plain(other) || (one, other) == ("xchg", "nop")
}

#[test]
fn x86_with_64_bits() {
    compare(
        "x86_64-linux-gnu",
        &[],
        InstructionSet::X86_64,
        is_same_of_x86,
    );
    compare(
        "x86_64-linux-gnu",
        &["-mavx2", "-O3"],
        InstructionSet::X86_64,
        is_same_of_x86,
    );
}

#[test]
fn x86_with_32_bits() {
    compare("i686-linux-gnu", &[], InstructionSet::X86, is_same_of_x86);
}

#[test]
fn arm_with_64_bits() {
    compare(
        "aarch64-linux-gnu",
        &[],
        InstructionSet::Aarch64,
        |one, other| one == other,
    );
}

/// Any bytes are listed, each once, and nothing panics.
#[test]
fn all_bytes_are_in_an_instruction() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let code: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    })
    .take(200_000)
    .flatten()
    .collect();
    let machines = [
        InstructionSet::X86_64,
        InstructionSet::X86,
        InstructionSet::Aarch64,
    ];
    for machine in machines {
        let mut end = u64::MAX - 1000;
        for found in instructions(&code, VirtOffset(end), machine) {
            assert_eq!(found.address.0, end, "{machine}");
            assert!(found.size > 0, "{machine}");
            assert!(!found.text.is_empty(), "{machine}");
            end = end.wrapping_add(found.size.into());
        }
        let bytes = end.wrapping_sub(u64::MAX - 1000);
        assert_eq!(usize::try_from(bytes).unwrap(), code.len(), "{machine}");
    }
}
