//! Loads a BPF program with debug information, and reads where the kernel put it. Shares no code
//! with the crates under test.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// The source file of the program, as its debug information has it.
pub const FILE: &str = "/src/busy.bpf.c";

/// The name of the program, and of the function that it calls.
pub const NAMES: [&str; 2] = ["busy", "triple"];

/// The lines of the instructions of each function, in their order.
pub const LINES: [&[u32]; 2] = [&[10, 11, 12, 12, 13, 14, 14, 15, 16], &[20, 21, 22, 23]];

/// A BPF program that is loaded until this is dropped. It counts to 100, and calls a function
/// each time.
#[derive(Debug)]
pub struct LoadedBpf {
    program: OwnedFd,
    _btf: OwnedFd,
}

/// Where the kernel put a function of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JitedFunction {
    /// Its first address.
    pub start: u64,
    /// Its bytes.
    pub size: u32,
    /// The first address of each of [`LINES`].
    pub lines: Vec<(u64, u32)>,
}

const PROG_LOAD: i64 = 5;
const PROG_TEST_RUN: i64 = 10;
const OBJ_GET_INFO_BY_FD: i64 = 15;
const BTF_LOAD: i64 = 18;

impl LoadedBpf {
    /// Loads the program.
    ///
    /// # Errors
    /// The kernel's refusal, with what its verifier had to say.
    pub fn load() -> Result<Self, String> {
        let btf = btf();
        let mut attr = Attr::default();
        attr.pointer(0, btf.as_ptr());
        attr.word(16, btf.len() as u32);
        let btf = bpf(BTF_LOAD, &mut attr, 32).map_err(|error| format!("BPF_BTF_LOAD: {error}"))?;
        let btf = owned(btf);

        let code = code();
        let functions: Vec<u32> = vec![0, 5, LINES[0].len() as u32, 6];
        let lines = line_info();
        let mut attr = Attr::default();
        attr.word(0, 1); // BPF_PROG_TYPE_SOCKET_FILTER
        attr.word(4, code.len() as u32);
        attr.pointer(8, code.as_ptr());
        attr.pointer(16, c"GPL".as_ptr());
        attr.0[48..52].copy_from_slice(b"busy");
        attr.word(72, btf.as_raw_fd() as u32);
        attr.word(76, 8);
        attr.pointer(80, functions.as_ptr());
        attr.word(88, 2);
        attr.word(92, 16);
        attr.pointer(96, lines.as_ptr());
        attr.word(104, (lines.len() / 4) as u32);
        let loaded = bpf(PROG_LOAD, &mut attr, 112).map_err(|error| {
            // The verifier says why, the second time.
            let mut log = vec![0_u8; 1 << 20];
            attr.word(24, 1);
            attr.word(28, log.len() as u32);
            attr.pointer(32, log.as_mut_ptr());
            let _ = bpf(PROG_LOAD, &mut attr, 112);
            let end = log.iter().position(|byte| *byte == 0).unwrap_or(0);
            let said = String::from_utf8_lossy(&log[..end]);
            format!("BPF_PROG_LOAD: {error}: {said}")
        })?;
        Ok(Self {
            program: owned(loaded),
            _btf: btf,
        })
    }

    /// Runs the program this many times.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn run(&self, times: u32) -> io::Result<()> {
        let packet = [0_u8; 64];
        let mut attr = Attr::default();
        attr.word(0, self.program.as_raw_fd() as u32);
        attr.word(8, packet.len() as u32);
        attr.pointer(16, packet.as_ptr());
        attr.word(32, times);
        bpf(PROG_TEST_RUN, &mut attr, 80).map(drop)
    }

    /// Returns where the functions are: none if the kernel does not compile programs, or hides
    /// their addresses.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn functions(&self) -> io::Result<Vec<JitedFunction>> {
        let count: usize = LINES.iter().map(|lines| lines.len()).sum();
        let mut starts = [0_u64; 2];
        let mut sizes = [0_u32; 2];
        let mut addrs = vec![0_u64; count];
        let mut info = Attr::default();
        info.word(104, 2);
        info.word(108, 2);
        info.pointer(112, starts.as_mut_ptr());
        info.pointer(120, sizes.as_mut_ptr());
        info.pointer(160, addrs.as_mut_ptr());
        info.word(168, count as u32);
        info.word(176, 8);
        let mut attr = Attr::default();
        attr.word(0, self.program.as_raw_fd() as u32);
        attr.word(4, info.0.len() as u32);
        attr.pointer(8, info.0.as_mut_ptr());
        bpf(OBJ_GET_INFO_BY_FD, &mut attr, 16)?;
        let mut addrs = addrs.into_iter();
        let functions = starts.into_iter().zip(sizes).zip(LINES);
        let functions = functions.map(|((start, size), lines)| JitedFunction {
            start,
            size,
            lines: addrs.by_ref().zip(lines.iter().copied()).collect(),
        });
        let functions: Vec<_> = functions.collect();
        let are_shown = functions.iter().all(|function| function.start != 0);
        Ok(if are_shown { functions } else { Vec::new() })
    }
}

/// One instruction: the operation, the registers, an offset, a number.
fn instruction(operation: u8, to: u8, from: u8, offset: i16, number: i32) -> u64 {
    let [a, b] = offset.to_ne_bytes();
    let [c, d, e, f] = number.to_ne_bytes();
    let registers = match cfg!(target_endian = "big") {
        true => to << 4 | from,
        false => from << 4 | to,
    };
    u64::from_ne_bytes([operation, registers, a, b, c, d, e, f])
}

fn code() -> Vec<u64> {
    const SET: u8 = 0xb7;
    const COPY: u8 = 0xbf;
    const ADD: u8 = 0x07;
    const ADD_REGISTER: u8 = 0x0f;
    const MULTIPLY: u8 = 0x27;
    const JUMP_IF_NOT: u8 = 0x55;
    const CALL: u8 = 0x85;
    const EXIT: u8 = 0x95;
    vec![
        instruction(SET, 6, 0, 0, 0),
        instruction(SET, 7, 0, 0, 100),
        instruction(COPY, 1, 7, 0, 0),
        instruction(CALL, 0, 1, 0, 5),
        instruction(ADD_REGISTER, 6, 0, 0, 0),
        instruction(ADD, 7, 0, 0, -1),
        instruction(JUMP_IF_NOT, 7, 0, -5, 0),
        instruction(SET, 0, 0, 0, 0),
        instruction(EXIT, 0, 0, 0, 0),
        instruction(COPY, 0, 1, 0, 0),
        instruction(MULTIPLY, 0, 0, 0, 3),
        instruction(ADD, 0, 0, 0, 1),
        instruction(EXIT, 0, 0, 0, 0),
    ]
}

/// The strings of the type information, and where each begins.
fn strings() -> (Vec<u8>, [u32; 4]) {
    let mut strings = vec![0];
    let places = [NAMES[0], NAMES[1], FILE, "int"].map(|text| {
        let at = strings.len() as u32;
        strings.extend(text.as_bytes());
        strings.push(0);
        at
    });
    (strings, places)
}

/// Type information: `int`, functions that take one and return one, and the two functions.
fn btf() -> Vec<u8> {
    let (strings, [busy, triple, _, int]) = strings();
    let types = [
        // 1: an integer of four bytes, signed, 32 bits.
        [int, 1 << 24, 4].as_slice(),
        &[1 << 24 | 32],
        // 2: a type, and a pointer to nothing known.
        &[0, 2 << 24, 0],
        // 3: a function of `int` and one argument of that type.
        &[0, 13 << 24 | 1, 1, int, 1],
        // 4: a function of `int` and a pointer.
        &[0, 13 << 24 | 1, 1, int, 2],
        // 5 and 6: the functions.
        &[busy, 12 << 24, 4],
        &[triple, 12 << 24, 3],
    ]
    .concat();
    let size = types.len() as u32 * 4;
    let mut bytes = 0xeb9f_u16.to_ne_bytes().to_vec();
    bytes.extend([1, 0]);
    let header = [24, 0, size, size, strings.len() as u32];
    bytes.extend(header.into_iter().chain(types).flat_map(u32::to_ne_bytes));
    bytes.extend(strings);
    bytes
}

/// For each instruction: its number, the file, its text, line and column.
fn line_info() -> Vec<u32> {
    let (_, [_, _, file, _]) = strings();
    let lines = LINES.concat().into_iter().zip(0..);
    lines
        .flat_map(|(line, at)| [at, file, file, line << 10 | 3])
        .collect()
}

/// `union bpf_attr`, or another structure for the kernel.
struct Attr([u8; 192]);

impl Default for Attr {
    fn default() -> Self {
        Self([0; 192])
    }
}

impl Attr {
    fn word(&mut self, at: usize, value: u32) {
        self.0[at..at + 4].copy_from_slice(&value.to_ne_bytes());
    }

    fn pointer<T>(&mut self, at: usize, to: *const T) {
        let address = to.expose_provenance() as u64;
        self.0[at..at + 8].copy_from_slice(&address.to_ne_bytes());
    }
}

fn bpf(command: i64, attr: &mut Attr, size: usize) -> io::Result<i32> {
    // SAFETY: the pointers in `attr` are those of vectors that its makers keep, and the lengths
    // with them are theirs.
    let done = unsafe { libc::syscall(libc::SYS_bpf, command, attr.0.as_mut_ptr(), size) };
    match i32::try_from(done) {
        Ok(done) if done >= 0 => Ok(done),
        _ => Err(io::Error::last_os_error()),
    }
}

fn owned(fd: i32) -> OwnedFd {
    // SAFETY: the kernel made this descriptor for us.
    unsafe { OwnedFd::from_raw_fd(fd) }
}
