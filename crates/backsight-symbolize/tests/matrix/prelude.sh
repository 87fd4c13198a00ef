# What the scripts of shapes.rs begin with.

# A library with all that there is, and its build ID. CXX may be set before.
full() {
    ${CXX:-g++} -O2 -shared -fPIC "-Wl,--build-id=0x$ID" -o full "$@" a.cpp b.cpp
}

# The same with debug information, and its debug file.
debug() {
    full -g
    objcopy --only-keep-debug full "$DEBUG"
}

# A library with debug information, and the GSYM of it.
symbols() {
    full -g
    for tool in llvm-gsymutil /usr/bin/llvm-gsymutil-[0-9]*; do
        if "$tool" --convert full --out-file a.gsym > /dev/null 2>&1; then
            return
        fi
    done
    echo "no llvm-gsymutil here" >&2
    return 1
}

# `mini.xz`, to be packed into a file: the symbols of `full` that its .dynsym lacks.
mini() {
    full -g
    nm -D full --format=posix --defined-only | awk '{ print $1 }' | sort > dynamic
    nm full --format=posix --defined-only | awk '$2 ~ /[Tt]/ { print $1 }' | sort > all
    comm -13 dynamic all > keep
    objcopy --only-keep-debug full debug.elf
    objcopy -S --remove-section .comment --keep-symbols=keep debug.elf mini
    xz -k mini
}

# `with_mini IN OUT`
with_mini() {
    objcopy --add-section .gnu_debugdata=mini.xz "$1" "$2"
}

# `zstd_sections IN OUT`, by whichever tool is new enough.
zstd_sections() {
    for tool in objcopy llvm-objcopy /usr/bin/llvm-objcopy-[0-9]*; do
        if "$tool" --compress-debug-sections=zstd "$1" "$2" 2> /dev/null; then
            return
        fi
    done
    echo "no objcopy here knows zstd" >&2
    return 1
}

# `go_program OUT LINKFLAGS [FLAGS]`, with C in it where CGO_ENABLED is 1.
go_program() {
    mkdir -p small
    printf 'module example.org/small\n\ngo 1.18\n' > small/go.mod
    cp small.go.txt small/small.go
    if [ "$CGO_ENABLED" = 1 ]; then
        cp cgo.go.txt small/cgo.go
    fi
    out=../$1
    link=$2
    shift 2
    (cd small; GOTOOLCHAIN=local CGO_ENABLED=${CGO_ENABLED:-0} go build -o "$out" "-ldflags=-B 0x$ID $link" "$@" .)
}
