//! The architectures of guests, with the names that each tool uses.

use testkit::tools::tool;

use crate::rust_std::has_std;

/// An architecture.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Machine {
    /// Its name in Rust and `uname`.
    pub(super) arch: &'static str,
    /// Its name in Debian.
    pub(super) debian: &'static str,
    /// The emulator, and its package.
    pub(super) emulator: (&'static str, &'static str),
    /// The emulated machine, and a CPU that is emulated fast and reliably. For x86-64, both
    /// avoid sporadic failures of QEMU 7.2: `microvm` has no clock for booting on a busy host,
    /// and 16-byte exchanges (`cx16`), which Linux 6.12 uses to allocate memory, cause a double
    /// fault.
    pub(super) model: [&'static str; 4],
    /// The first serial port.
    pub(super) console: &'static str,
    /// The path of the dynamic linker.
    pub(super) linker: &'static str,
}

pub(super) const X86_64: Machine = Machine {
    arch: "x86_64",
    debian: "amd64",
    emulator: ("qemu-system-x86_64", "qemu-system-x86"),
    model: ["-machine", "pc", "-cpu", "Nehalem,-cx16"],
    console: "ttyS0",
    linker: "lib64/ld-linux-x86-64.so.2",
};

pub(super) const AARCH64: Machine = Machine {
    arch: "aarch64",
    debian: "arm64",
    emulator: ("qemu-system-aarch64", "qemu-system-arm"),
    model: ["-machine", "virt", "-cpu", "cortex-a72"],
    console: "ttyAMA0",
    linker: "lib/ld-linux-aarch64.so.1",
};

impl Machine {
    /// Whether this machine has this architecture.
    pub(super) fn is_this_one(&self) -> bool {
        self.arch == std::env::consts::ARCH
    }

    /// Returns its target triple in Rust.
    pub(super) fn target(&self) -> String {
        format!("{}-unknown-linux-gnu", self.arch)
    }

    /// Returns the target triple of static programs.
    pub(super) fn static_target(&self) -> String {
        format!("{}-unknown-linux-musl", self.arch)
    }

    /// Returns its GNU triplet.
    pub(super) fn triple(&self) -> String {
        format!("{}-linux-gnu", self.arch)
    }

    /// Returns the C compiler for it.
    pub(super) fn cc(&self) -> String {
        match self.is_this_one() {
            true => "cc".to_owned(),
            false => format!("{}-gcc", self.triple()),
        }
    }

    /// Returns what is missing to build for it and to run it, one line each.
    pub(super) fn missing(&self) -> Vec<String> {
        let gcc = match self.is_this_one() {
            true => "gcc libc6-dev".to_owned(),
            false => {
                let triple = self.triple().replace('_', "-");
                format!("gcc-{triple} libc6-dev-{}-cross", self.debian)
            }
        };
        let (emulator, package) = self.emulator;
        let programs = [
            ("apt-get", "apt"),
            ("dpkg-deb", "dpkg"),
            (emulator, package),
            (&self.cc(), &gcc),
        ];
        let absent = programs
            .iter()
            .filter(|(program, _)| tool(program).is_none());
        let mut missing: Vec<String> = absent
            .map(|(program, package)| format!("no {program}: apt-get install {package}"))
            .collect();
        let other = (!self.is_this_one()).then(|| self.target());
        for target in other.into_iter().chain([self.static_target()]) {
            if !has_std(&target) {
                missing.push(format!("no Rust for it: rustup target add {target}"));
            }
        }
        missing
    }
}
