//! The instructions of one stub of a procedure linkage table, machine by machine.
//!
//! Only what every linker writes is decoded: how the address of the slot is computed, and
//! the jump. The rest of a stub (landing pads, authentication, the number of the
//! relocation) is skipped.

use object::{Endianness, elf};

use super::headers::ElfHeaders;

/// A decoded stub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DecodedStub {
    pub(super) through: StubJump,
    /// Bytes of its instructions, as far as they were read.
    pub(super) size: usize,
}

/// Where a stub takes the target of its jump from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StubJump {
    /// The slot at this virtual offset.
    Slot(u64),
    /// The resolver of the loader, with the number of a relocation.
    Relocation(u32),
}

/// How to read the stubs of a file.
#[derive(Clone, Copy, Debug)]
pub(super) enum StubDecoder {
    X86 {
        /// Where slots count from in code that may lie anywhere: `%ebx`. 64-bit code
        /// counts from the instruction.
        base: Option<u64>,
    },
    Aarch64,
    Arm,
    Riscv,
    S390,
}

impl StubDecoder {
    pub(super) fn of(file: &ElfHeaders) -> Option<Self> {
        let little = file.endian() == Endianness::Little;
        Some(match elf::Machine(file.machine()) {
            elf::EM_X86_64 if little => Self::X86 { base: None },
            elf::EM_386 if little => Self::X86 {
                base: Some(file.got_base().unwrap_or(0)),
            },
            elf::EM_AARCH64 if little => Self::Aarch64,
            elf::EM_ARM if little => Self::Arm,
            elf::EM_RISCV if little => Self::Riscv,
            elf::EM_S390 if file.is_64() => Self::S390,
            _ => return None,
        })
    }

    /// Returns what the begins of stubs are multiples of, those that are `alone` among
    /// other code as well.
    pub(super) fn step(self, alone: bool) -> usize {
        match self {
            Self::X86 { .. } if alone => 16,
            Self::X86 { .. } => 8,
            _ => 4,
        }
    }

    /// Reads the stub that begins with `code`, at this virtual offset.
    pub(super) fn stub(self, code: &[u8], at: u64) -> Option<DecodedStub> {
        let mut code = Instructions { rest: code, at };
        let through = match self {
            Self::X86 { base } => x86(&mut code, base),
            Self::Aarch64 => aarch64(&mut code),
            Self::Arm => arm(&mut code),
            Self::Riscv => riscv(&mut code),
            Self::S390 => s390(&mut code),
        }?;
        let size = usize::try_from(code.at.checked_sub(at)?).ok()?;
        Some(DecodedStub { through, size })
    }
}

/// A cursor over instructions.
struct Instructions<'d> {
    rest: &'d [u8],
    at: u64,
}

impl Instructions<'_> {
    fn skip(&mut self, wanted: &[u8]) -> bool {
        let Some(rest) = self.rest.strip_prefix(wanted) else {
            return false;
        };
        self.rest = rest;
        let size = u64::try_from(wanted.len()).unwrap_or(0);
        self.at = self.at.saturating_add(size);
        true
    }

    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        self.at = self.at.saturating_add(u64::try_from(N).ok()?);
        Some(*bytes)
    }

    fn word(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_le_bytes)
    }

    /// Takes a word if it has these bits where the mask has ones.
    fn takes(&mut self, mask: u32, bits: u32) -> Option<u32> {
        let word = u32::from_le_bytes(*self.rest.first_chunk()?);
        if word & mask != bits {
            return None;
        }
        self.word()
    }

    /// Reads a distance, and returns where it leads from behind it.
    fn relative(&mut self) -> Option<u64> {
        let distance = i32::from_le_bytes(self.bytes()?);
        Some(self.at.wrapping_add_signed(distance.into()))
    }
}

/// `jmp *slot`, with a landing pad before it (`endbr64`), `bnd`, or the number of the
/// relocation in a register (mold) or pushed behind it. With "retpolines" the slot is
/// loaded to `%r11`. A lazy half has the landing pad, the number and a jump to the begin
/// of the table.
fn x86(code: &mut Instructions<'_>, base: Option<u64>) -> Option<StubJump> {
    let pad = code.skip(b"\xf3\x0f\x1e\xfa") || code.skip(b"\xf3\x0f\x1e\xfb");
    if code.skip(b"\x41\xbb") {
        code.word()?;
    } else if pad && code.skip(b"\x68") {
        let number = code.word()?;
        code.skip(b"\xf2");
        let jumps = code.skip(b"\xe9") && code.word().is_some();
        // 32-bit code pushes an offset into the relocations, of 8 bytes each.
        let number = if base.is_some() {
            number.checked_div(8)?
        } else {
            number
        };
        return jumps.then_some(StubJump::Relocation(number));
    }
    let slot = match base {
        None if code.skip(b"\x4c\x8b\x1d") => code.relative()?,
        None => {
            code.skip(b"\xf2");
            code.skip(b"\xff\x25").then(|| code.relative())??
        }
        Some(_) if code.skip(b"\xff\x25") => code.word()?.into(),
        Some(base) => {
            let distance = code.skip(b"\xff\xa3").then(|| code.word())??;
            // Addresses wrap around at 32 bits.
            base.wrapping_add(distance.into()) & u64::from(u32::MAX)
        }
    };
    if code.skip(b"\x68") {
        code.word()?;
        code.skip(b"\xe9");
        code.word()?;
    }
    Some(StubJump::Slot(slot))
}

/// `adrp x16, page; ldr x17, [x16, #offset]; …; br x17`, with `bti c` before it or
/// `autia1716` in it.
fn aarch64(code: &mut Instructions<'_>) -> Option<StubJump> {
    const BTI_C: u32 = 0xd503_245f;
    const BR_X17: u32 = 0xd61f_0220;
    code.takes(u32::MAX, BTI_C);
    let at = code.at;
    let adrp = code.takes(0x9f00_001f, 0x9000_0010)?;
    let pages = (((adrp >> 5) & 0x7_ffff) << 2) | ((adrp >> 29) & 3);
    let page = (at & !0xfff).wrapping_add_signed(signed(pages, 21) << 12);
    // 64-bit, or 32-bit pointers.
    let wide = code.takes(0xffc0_03ff, 0xf940_0211);
    let load = wide.or_else(|| code.takes(0xffc0_03ff, 0xb940_0211))?;
    let scale = if wide.is_some() { 3 } else { 2 };
    let offset = ((load >> 10) & 0xfff) << scale;
    for _ in 0..3 {
        if code.word()? == BR_X17 {
            return Some(StubJump::Slot(page.wrapping_add(offset.into())));
        }
    }
    None
}

/// `add ip, pc, #…`, more additions, `ldr pc, [ip, #…]!`; Thumb code gets there by
/// `bx pc`.
fn arm(code: &mut Instructions<'_>) -> Option<StubJump> {
    code.skip(b"\x78\x47\xc0\x46");
    let immediate = |word: u32| (word & 0xff).rotate_right(((word >> 8) & 0xf) << 1);
    // The program counter is two instructions ahead.
    let pc = u32::try_from(code.at.checked_add(8)? & u64::from(u32::MAX)).ok()?;
    let mut slot = pc.wrapping_add(immediate(code.takes(0xffff_f000, 0xe28f_c000)?));
    while let Some(add) = code.takes(0xffff_f000, 0xe28c_c000) {
        slot = slot.wrapping_add(immediate(add));
    }
    let load = code.takes(0xffff_f000, 0xe5bc_f000)?;
    Some(StubJump::Slot(slot.wrapping_add(load & 0xfff).into()))
}

/// `auipc t3, …; ld t3, …(t3); jalr t1, t3`.
fn riscv(code: &mut Instructions<'_>) -> Option<StubJump> {
    let at = code.at;
    let upper = code.takes(0xfff, 0xe17)? & !0xfff;
    let wide = code.takes(0xf_ffff, 0xe_3e03);
    let load = wide.or_else(|| code.takes(0xf_ffff, 0xe_2e03))?;
    code.takes(u32::MAX, 0x000e_0367)?;
    let slot = at.wrapping_add_signed(signed(upper, 32));
    let slot = slot.wrapping_add_signed(signed(load >> 20, 12));
    let narrow = wide.is_none();
    Some(StubJump::Slot(if narrow {
        slot & u64::from(u32::MAX)
    } else {
        slot
    }))
}

/// `larl %r1, slot; lg %r1, 0(%r1); br %r1`, and what finds the function when it is
/// first called.
fn s390(code: &mut Instructions<'_>) -> Option<StubJump> {
    let at = code.at;
    if !code.skip(b"\xc0\x10") {
        return None;
    }
    let halves = i64::from(i32::from_be_bytes(code.bytes()?));
    let slot = at.wrapping_add_signed(halves << 1);
    let jumps = code.skip(b"\xe3\x10\x10\x00\x00\x04") && code.skip(b"\x07\xf1");
    if jumps && code.skip(b"\x0d\x10") {
        code.bytes::<16>();
    }
    jumps.then_some(StubJump::Slot(slot))
}

/// Takes the lowest `bits` bits for a signed number.
fn signed(value: u32, bits: u32) -> i64 {
    let unused = 32_u32.saturating_sub(bits);
    let value = value.checked_shl(unused).unwrap_or(0).cast_signed();
    i64::from(value.checked_shr(unused).unwrap_or(0))
}
