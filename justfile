# What is done often. `just` alone lists it.
_default:
    @just --list

# The newcomer's first minute: a real stack, normalized and symbolized
demo:
    cargo run --release -- demo

# All tests
test:
    cargo test --workspace --all-features

# What CI holds, without installing anything
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
    cargo test --workspace --all-features

# The suite as old kernels would run it: ERRNO is ENOTTY, EINVAL, EPERM, ENOSYS or all
old-kernel ERRNO="all":
    cargo xtask old-kernel {{ERRNO}}

# The suites that ask the kernel, on Debian's kernels; ONLY is 6.1, 6.12, amd64 or arm64
kernels ONLY="":
    cargo xtask kernels {{ if ONLY == "" { "" } else { "--only " + ONLY } }}

# The large programs that the benches of symbolization ask about, outside the repository
workloads:
    cargo xtask workloads

# Us against the floor and the peers; ROW is a family (N) or a row (N1)
ratios ROW="":
    cargo bench -p benches --bench ratios -- {{ROW}}
