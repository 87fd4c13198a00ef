//! The programs to compare, and their packages.

use std::fs;
use std::path::{Path, PathBuf};

use crate::debian::Release;

#[derive(Debug)]
pub(super) struct Program {
    pub(super) name: &'static str,
    pub(super) release: Release,
    /// The package of the program, and that of its debug file.
    pub(super) packages: &'static [&'static str],
    /// The path of the file, with `*` for parts that depend on the version. If several match,
    /// the largest is taken.
    pub(super) file: &'static str,
}

pub(super) const AMD64: Release = bookworm("amd64");

const TRIXIE: Release = Release {
    suite: "trixie",
    arch: "amd64",
};

pub(super) const fn bookworm(arch: &'static str) -> Release {
    Release {
        suite: "bookworm",
        arch,
    }
}

pub(super) const fn of(
    name: &'static str,
    release: Release,
    packages: &'static [&'static str],
    file: &'static str,
) -> Program {
    Program {
        name,
        release,
        packages,
        file,
    }
}

pub(super) const PROGRAMS: &[Program] = &[
    // GCC: C and C++, stripped, with debug files, large and compressed.
    of(
        "libstdc++",
        AMD64,
        &["libstdc++6"],
        "usr/lib/*/libstdc++.so.6.*",
    ),
    of("libcrypto", AMD64, &["libssl3"], "usr/lib/*/libcrypto.so.3"),
    of(
        "libpython",
        AMD64,
        &["libpython3.11"],
        "usr/lib/*/libpython3.11.so.1.0",
    ),
    of(
        "python-dbg",
        AMD64,
        &["python3.11-dbg"],
        "usr/bin/python3.11d",
    ),
    of(
        "libqt5core",
        AMD64,
        &["libqt5core5a"],
        "usr/lib/*/libQt5Core.so.5.*",
    ),
    of(
        "libglib",
        AMD64,
        &["libglib2.0-0"],
        "usr/lib/*/libglib-2.0.so.0.*",
    ),
    of("bash", AMD64, &["bash"], "bin/bash"),
    of(
        "ceph-osd",
        AMD64,
        &["ceph-osd", "ceph-osd-dbg"],
        "usr/bin/ceph-osd",
    ),
    of(
        "libjvm",
        AMD64,
        &["openjdk-17-jre-headless", "openjdk-17-dbg"],
        "usr/lib/jvm/*/libjvm.so",
    ),
    // clang.
    of(
        "libomp",
        AMD64,
        &["libomp5-19"],
        "usr/lib/llvm-19/lib/libomp.so*",
    ),
    of(
        "libclang-cpp",
        AMD64,
        &["libclang-cpp19"],
        "usr/lib/*/libclang-cpp.so.19*",
    ),
    of("libc++", AMD64, &["libc++1-19"], "usr/lib/*/libc++.so.1*"),
    of(
        "libLLVM",
        AMD64,
        &["libllvm19"],
        "usr/lib/*/libLLVM.so.19.1",
    ),
    // Rust.
    of(
        "librsvg",
        AMD64,
        &["librsvg2-2"],
        "usr/lib/*/librsvg-2.so.2*",
    ),
    of(
        "libstd-rust",
        AMD64,
        &["libstd-rust-1.63"],
        "usr/lib/*/libstd-*.so",
    ),
    // Fortran.
    of(
        "libgfortran",
        AMD64,
        &["libgfortran5"],
        "usr/lib/*/libgfortran.so.5.*",
    ),
    of(
        "liblapack",
        AMD64,
        &["liblapack3"],
        "usr/lib/*/lapack/liblapack.so.3.*",
    ),
    // Ada.
    of(
        "libgnat",
        AMD64,
        &["libgnat-12"],
        "usr/lib/*/libgnat-12.so*",
    ),
    of("gprbuild", AMD64, &["gprbuild"], "usr/bin/gprbuild"),
    // D, by LDC and by GDC.
    of(
        "libphobos-ldc",
        AMD64,
        &["libphobos2-ldc-shared100"],
        "usr/lib/*/libphobos2-ldc-shared.so.*",
    ),
    of(
        "libgphobos",
        AMD64,
        &["libgphobos3"],
        "usr/lib/*/libgphobos.so.3*",
    ),
    // Haskell, OCaml, Erlang.
    of(
        "libHSbase",
        AMD64,
        &["ghc"],
        "usr/lib/ghc/lib/*/libHSbase-*.so",
    ),
    of(
        "ocamlopt",
        AMD64,
        &["ocaml-nox", "ocaml"],
        "usr/bin/ocamlopt.opt",
    ),
    of(
        "erlang",
        AMD64,
        &["erlang-base"],
        "usr/lib/erlang/erts-*/bin/beam.smp",
    ),
    // Other machines.
    of(
        "libc-i386",
        bookworm("i386"),
        &["libc6", "libc6-dbg"],
        "lib/*/libc.so.6",
    ),
    of(
        "libc-arm64",
        bookworm("arm64"),
        &["libc6", "libc6-dbg"],
        "lib/*/libc.so.6",
    ),
    of(
        "libc-armhf",
        bookworm("armhf"),
        &["libc6", "libc6-dbg"],
        "lib/*/libc.so.6",
    ),
    of(
        "libc-armel",
        bookworm("armel"),
        &["libc6", "libc6-dbg"],
        "lib/*/libc.so.6",
    ),
    of(
        "libc-ppc64el",
        bookworm("ppc64el"),
        &["libc6", "libc6-dbg"],
        "lib/*/libc.so.6",
    ),
    of(
        "libc-s390x",
        bookworm("s390x"),
        &["libc6", "libc6-dbg"],
        "lib/*/libc.so.6",
    ),
    of(
        "libc-mips64el",
        bookworm("mips64el"),
        &["libc6", "libc6-dbg"],
        "lib/*/libc.so.6",
    ),
    of(
        "libc-riscv64",
        Release {
            suite: "trixie",
            arch: "riscv64",
        },
        &["libc6", "libc6-dbg"],
        "usr/lib/*/libc.so.6",
    ),
    of(
        "libstdc++-arm64",
        bookworm("arm64"),
        &["libstdc++6"],
        "usr/lib/*/libstdc++.so.6.*",
    ),
    of(
        "libstdc++-ppc64el",
        bookworm("ppc64el"),
        &["libstdc++6"],
        "usr/lib/*/libstdc++.so.6.*",
    ),
    of(
        "libcrypto-armhf",
        bookworm("armhf"),
        &["libssl3"],
        "usr/lib/*/libcrypto.so.3",
    ),
    of(
        "libcrypto-s390x",
        bookworm("s390x"),
        &["libssl3"],
        "usr/lib/*/libcrypto.so.3",
    ),
    of(
        "libstd-rust-arm64",
        bookworm("arm64"),
        &["libstd-rust-1.63"],
        "usr/lib/*/libstd-*.so",
    ),
    // Swift.
    of(
        "libswiftCore",
        TRIXIE,
        &["libswiftlang"],
        "usr/libexec/swift/lib/swift/linux/libswiftCore.so",
    ),
];

/// Returns the largest regular file below a directory that matches a pattern.
pub(super) fn largest(folder: &Path, pattern: &str) -> Option<PathBuf> {
    let mut found: Vec<(u64, PathBuf)> = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(dir) = folders.pop() {
        for entry in fs::read_dir(&dir).ok()?.flatten() {
            let kind = entry.file_type().ok()?;
            let path = entry.path();
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                let below = path.strip_prefix(folder).ok()?.to_str().unwrap_or_default();
                if fits(below, pattern) {
                    found.push((entry.metadata().ok()?.len(), path));
                }
            }
        }
    }
    found.into_iter().max().map(|(_, path)| path)
}

/// Whether a path matches a pattern, in which `*` matches any text.
fn fits(path: &str, pattern: &str) -> bool {
    let Some((before, behind)) = pattern.split_once('*') else {
        return path == pattern;
    };
    let Some(rest) = path.strip_prefix(before) else {
        return false;
    };
    let mut starts = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    starts.any(|at| fits(&rest[at..], behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_matches_any_text() {
        assert!(fits("usr/lib/x/liba.so.6.1", "usr/lib/*/liba.so.6.*"));
        assert!(fits("a", "a*"));
        assert!(!fits("usr/lib/liba.so", "usr/lib/*/liba.so"));
    }

    #[test]
    fn there_are_enough_of_each() {
        assert!(PROGRAMS.len() >= 30);
        let mut names: Vec<&str> = PROGRAMS.iter().map(|it| it.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PROGRAMS.len(), "a name is one program's");
    }
}
