//! Operands are those that GNU's objdump lists, in all instructions of the C library and its
//! mathematics.

use std::collections::{BTreeMap, HashSet};
use std::process::Command;

use backsight_disassemble::{InstructionSet, instructions};
use backsight_types::VirtOffset;

/// An instruction as objdump lists it.
struct Listed {
    address: u64,
    bytes: Vec<u8>,
    text: String,
}

fn ran(tool: &str, args: &[&str]) -> Result<String, String> {
    let ran = Command::new(tool).args(args).output();
    let ran = ran.map_err(|error| format!("{tool}: {error}"))?;
    match ran.status.success() {
        true => Ok(String::from_utf8_lossy(&ran.stdout).into_owned()),
        false => Err(format!("{tool} {args:?} fails")),
    }
}

/// Lists a library of a compiler, each sequence of bytes once: of those that name addresses there
/// are enough others.
fn listed(compiler: &str, objdump: &str, library: &str) -> Result<Vec<Listed>, String> {
    let path = ran(compiler, &[&format!("-print-file-name={library}")])?;
    let listing = ran(objdump, &["-d", "-w", path.trim()])?;
    let mut seen: HashSet<Vec<u8>> = HashSet::new();
    let lines = listing.lines().filter_map(|line| {
        let (address, rest) = line.split_once(":\t")?;
        let (digits, text) = rest.split_once('\t')?;
        let digits = digits.replace(' ', "");
        let at = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
        let bytes: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(at).collect();
        let listed = Listed {
            address: u64::from_str_radix(address.trim(), 16).ok()?,
            bytes: bytes?,
            text: text.replace('\t', " "),
        };
        seen.insert(listed.bytes.clone()).then_some(listed)
    });
    let all: Vec<Listed> = lines.collect();
    match all.len() {
        0..10_000 => Err(format!("{objdump} lists {} of {library}", all.len())),
        _ => Ok(all),
    }
}

/// Returns a text without the names of symbols, with all numbers as hexadecimal ones without a
/// sign, and with blanks only after the operation.
fn plain(text: &str) -> String {
    let text = text.split("//").next().unwrap_or_default();
    let mut without_names = String::new();
    let mut rest = text;
    // `bl 9a100 <name+0x12>`: the address before a name has no `0x`.
    while let Some((before, after)) = rest.split_once(" <") {
        let (head, digits) = before.rsplit_once(' ').unwrap_or(("", before));
        let digits = digits.trim_start_matches("0x");
        without_names.push_str(&format!("{head} 0x{digits}"));
        rest = after.split_once('>').map_or("", |(_, rest)| rest);
    }
    without_names.push_str(rest);
    let mut out = String::new();
    let mut word = String::new();
    for letter in without_names.replace('#', " ").chars().chain([' ']) {
        if letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.' | '%' | '+') {
            word.push(letter);
            continue;
        }
        out.push_str(&number(&word).unwrap_or_else(|| word.clone()));
        word.clear();
        out.push(letter);
    }
    let (operation, operands) = out.trim().split_once(' ').unwrap_or((out.trim(), ""));
    let operands: String = operands.split_whitespace().collect::<Vec<_>>().join("");
    format!("{operation} {operands}")
}

fn number(word: &str) -> Option<String> {
    let (sign, digits) = match word.strip_prefix('-') {
        Some(digits) => (-1_i128, digits),
        None => (1, word),
    };
    let value = match digits.strip_prefix("0x") {
        Some(digits) => i128::from(u64::from_str_radix(digits, 16).ok()?),
        // Only digits: `1.0e+0` is a number of its own kind.
        None if digits.contains('.') => return real(word),
        None => i128::from(digits.parse::<u64>().ok()?),
    };
    let value = sign.checked_mul(value)?.rem_euclid(1 << 64);
    Some(format!("{value:#x}"))
}

fn real(word: &str) -> Option<String> {
    let value = word.parse::<f64>().ok()?;
    Some(format!("{value:e}"))
}

/// Compares two libraries. `same` makes the spellings of one instruction equal.
fn compare(
    tools: (&str, &str),
    machine: InstructionSet,
    same: fn(&str, &str) -> bool,
) -> Option<usize> {
    let mut compared = 0;
    let mut differ: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for library in ["libc.so.6", "libm.so.6"] {
        let all = match listed(tools.0, tools.1, library) {
            Ok(all) => all,
            Err(why) => {
                testkit::skip(&why);
                return None;
            }
        };
        for of in all {
            let mut bytes = of.bytes;
            if machine == InstructionSet::Aarch64 {
                // It lists words.
                bytes.reverse();
            }
            let found = instructions(&bytes, VirtOffset(of.address), machine).next();
            let found = found.unwrap();
            // What is not known is said to be so, which is no other instruction.
            if !found.is_valid {
                continue;
            }
            compared += 1;
            let (found, listed) = (plain(&found.text), plain(&of.text));
            if found != listed && !same(&found, &listed) {
                let operation = found.split(' ').next().unwrap_or_default().to_owned();
                let (count, example) = differ.entry(operation).or_default();
                *count += 1;
                *example = format!("{found} / {listed}");
            }
        }
    }
    assert!(differ.is_empty(), "{machine}: {differ:#?}");
    Some(compared)
}

/// Spellings of GNU's objdump and of the decoder that mean one instruction.
fn is_same_of_x86(found: &str, listed: &str) -> bool {
    // Prefixes without effect, and the implied segments of string operations.
    let plain = |text: &str| {
        let mut text = text.replace("%ds:", "").replace("%es:", "");
        text = text.replace(",0x1)", ")").replace("0x0(", "(");
        let words = ["data16", "cs", "repz", "rep", "repnz"];
        while let Some((_, rest)) = text.split_once(' ').filter(|it| words.contains(&it.0)) {
            text = rest.to_owned();
        }
        let text = words.iter().fold(text, |text, word| {
            text.trim_start_matches(word).trim_start().to_owned()
        });
        if let Some((_, operand)) = text.split_once('(').filter(|_| text.starts_with("nop")) {
            return format!("nop ({operand}");
        }
        // `movq`, where the operands tell the width.
        let (name, operands) = text.split_once(' ').unwrap_or((&text, ""));
        let name = name.trim_end_matches(['b', 'w', 'l', 'q']);
        format!("{name} {operands}")
    };
    let (found, listed) = (plain(found), plain(listed));
    if found == listed {
        return true;
    }
    let (name, operands) = found.split_once(' ').unwrap_or_default();
    let (other, listed) = listed.split_once(' ').unwrap_or_default();
    match name {
        // It is the instruction before the one that objdump lists with it.
        "fwait" => true,
        // The stack's top two, if nothing is said.
        _ if name.starts_with('f') => name == other && operands.is_empty(),
        // A shift by one, and a product in place.
        "shr" | "sar" | "sh" | "ro" | "ror" | "rc" | "rcr" => {
            name == other && operands.strip_prefix("$0x1,") == Some(listed)
        }
        "imu" => {
            let register = operands.rsplit(',').next().unwrap_or_default();
            name == other && format!("{operands},{register}") == listed
        }
        _ => false,
    }
}

fn is_same_of_arm(found: &str, listed: &str) -> bool {
    let plain = |text: &str| {
        // Two names of one condition, and an extension by no bits.
        let text = text.replace("b.hs", "b.cs").replace("b.lo", "b.cc");
        let text = match text.rsplit_once(',') {
            Some((rest, "hs")) => format!("{rest},cs"),
            Some((rest, "lo")) => format!("{rest},cc"),
            _ => text,
        };
        text.replace("sxtw0x0]", "sxtw]")
            .replace("sxtx0x0]", "sxtx]")
    };
    let (found, listed) = (plain(found), plain(listed));
    let operation = |text: &str| text.split(' ').next().unwrap_or_default().to_owned();
    // General names of instructions that have a name of their own.
    let names = [
        ("hint", "bti"),
        ("sys", "dc"),
        ("sys", "ic"),
        ("mov", "dup"),
        ("ushll", "uxtl"),
        ("sshll", "sxtl"),
        ("ushll2", "uxtl2"),
        ("sshll2", "sxtl2"),
    ];
    let pair = (operation(&found), operation(&listed));
    if found == listed || names.contains(&(&pair.0, &pair.1)) {
        return true;
    }
    // System registers by number; the general register has to be the same.
    let general = |text: &str| {
        let mut words = text.split([' ', ',']);
        let found = words.find(|word| word.len() < 4 && word.starts_with('x'));
        found.map(str::to_owned)
    };
    matches!(pair.0.as_str(), "mrs" | "msr")
        && pair.0 == pair.1
        && found.contains("s3_")
        && general(&found) == general(&listed)
}

#[test]
fn of_x86_with_64_bits() {
    let machine = InstructionSet::X86_64;
    if let Some(count) = compare(("gcc", "objdump"), machine, is_same_of_x86) {
        assert!(count > 100_000, "{count}");
    }
}

#[test]
fn of_arm_with_64_bits() {
    let tools = ("aarch64-linux-gnu-gcc", "aarch64-linux-gnu-objdump");
    if let Some(count) = compare(tools, InstructionSet::Aarch64, is_same_of_arm) {
        assert!(count > 50_000, "{count}");
    }
}

/// What libraries have seldom or never: extended registers in all forms, with the text that
/// `llvm-mc --disassemble` has.
#[test]
fn extended_registers() {
    let cases: [(u32, &str); 8] = [
        (0x8b3b_4b82, "add x2, x28, w27, uxtw #2"),
        (0xeb33_405f, "cmp x2, w19, uxtw"),
        (0xcb21_4321, "sub x1, x25, w1, uxtw"),
        (0xab33_405f, "cmn x2, w19, uxtw"),
        (0x8b33_c05f, "add sp, x2, w19, sxtw"),
        (0x8b33_005f, "add sp, x2, w19, uxtb"),
        (0x8b21_63ff, "add sp, sp, x1"),
        (0xd51b_4416, "msr s3_3_c4_c4_0, x22"),
    ];
    for (word, want) in cases {
        let code = word.to_le_bytes();
        let found = instructions(&code, VirtOffset(0), InstructionSet::Aarch64);
        assert_eq!(found.map(|it| it.text).collect::<Vec<_>>(), [want]);
    }
}
