#!/bin/sh
# Makes the first inputs of the fuzz targets, below crates/fuzz/corpus: small programs in
# several forms of DWARF, their indexes, a maps text, a recording and what it converts to.
# Wants gcc, objcopy, perf and a built backsight: scripts/fuzz-seeds.sh [BACKSIGHT]
set -eu
backsight=${1:-target/release/backsight}
corpus=crates/fuzz/corpus
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for target in maps_text elf_image index_open folded_in ndjson_in pprof_in otlp_in perf_data_in \
    perf_script_in kallsyms legacy_in cfi_unwind gsym breakpad speedscope_in cpuprofile_in perfetto_in; do
    mkdir -p "$corpus/$target"
done

cat >"$work/a.c" <<'C'
static inline __attribute__((always_inline)) int inner(int x) { return x * x + 1; }
static inline __attribute__((always_inline)) int outer(int x) { return inner(x) + inner(x + 1); }
int data = 3;
int main(int count, char **args) {
    volatile int sum = args == 0;
    for (int n = 0; n < 400000000; n++)
        sum += outer(n + count + data);
    return sum == 0;
}
C
for version in 2 3 4 5; do
    gcc "-gdwarf-$version" -O1 -nostartfiles -Wl,-e,main -static -nostdlib \
        -Wl,--build-id -o "$work/v$version" "$work/a.c"
    cp "$work/v$version" "$corpus/elf_image/"
    "$backsight" index build "$work/v$version" -o "$corpus/index_open/v$version" >/dev/null
done
# Call frames with a search table and without, of both machines where there is a compiler.
gcc -O1 -nostartfiles -Wl,-e,main -static -nostdlib -o "$corpus/cfi_unwind/table" "$work/a.c"
gcc -O1 -nostartfiles -Wl,-e,main,--no-eh-frame-hdr -static -nostdlib \
    -o "$corpus/cfi_unwind/none" "$work/a.c"
gcc -g -O1 -fno-asynchronous-unwind-tables -nostartfiles -Wl,-e,main -static -nostdlib \
    -o "$corpus/cfi_unwind/debug_frame" "$work/a.c"
if command -v aarch64-linux-gnu-gcc >/dev/null; then
    aarch64-linux-gnu-gcc -O1 -mbranch-protection=pac-ret+leaf -nostartfiles -Wl,-e,main -static \
        -nostdlib -o "$corpus/cfi_unwind/aarch64" "$work/a.c"
fi
gcc -g -c -o "$corpus/elf_image/object" "$work/a.c"
objcopy --compress-debug-sections=zlib "$work/v5" "$corpus/elf_image/zlib"
objcopy --compress-debug-sections=zstd "$work/v5" "$corpus/elf_image/zstd" 2>/dev/null || true

for tool in llvm-gsymutil /usr/bin/llvm-gsymutil-[0-9]*; do
    "$tool" --convert "$work/v5" --out-file "$corpus/gsym/v5" >/dev/null 2>&1 || true
done
# The target puts the first line before it.
printf '%s\n' 'INFO CODE_ID 33221100554477668899AABBCCDDEEFF01234567' 'FILE 0 /a.c' \
    'INLINE_ORIGIN 0 inner' 'INLINE_ORIGIN 1 outer(int)' 'FUNC 10 20 0 main' \
    'INLINE 0 7 0 0 14 4 1a 2' 'INLINE 1 3 0 1 14 2' '10 4 6 0' '14 8 2 0' 'FUNC m 40 8 0 f' \
    '40 8 20 0' 'PUBLIC m 60 0 _start' 'STACK WIN 4 10 20 0 0 0 0 0 0 1 x' \
    'STACK CFI INIT 10 20 .cfa: $rsp 8 + .ra: .cfa -8 + ^' \
    'STACK CFI 14 .cfa: $rsp 16 + $rbx: .cfa -16 + ^' >"$corpus/breakpad/each"

cp /proc/self/maps "$corpus/maps_text/self"
printf 'heap profile: 3: 640 [5: 4096] @ heap_v2/524288\n2: 512 [4: 3968] @ 0x11 0x21\nMAPPED_LIBRARIES:\n' |
    cat - /proc/self/maps >"$corpus/legacy_in/heap"
printf 'heap_v2/512\n  t*: 1: 64 [0: 0]\n@ 0x11\n  t*: 1: 64 [0: 0]\n' >"$corpus/legacy_in/jemalloc"
printf -- '--- mutex:\ncycles/second=2\nsampling period=1\n9 2 @ 0x11\n#\t0x10\tf+0x1\t/a:1\n' >"$corpus/legacy_in/mutex"
printf 'goroutine profile: total 1\n1 @ 0x11\n' >"$corpus/legacy_in/count"
printf -- '--- Thread 7f (name: a/1) stack: ---\n  0x11\n' >"$corpus/legacy_in/threads"
for word in 0 3 0 100 0 2 1 17 0 1 0; do
    printf '%b' "\\0$(printf %o $word)\\0\\0\\0\\0\\0\\0\\0"
done >"$corpus/legacy_in/cpu"
printf '%s' '{"$schema":"https://www.speedscope.app/file-format-schema.json","profiles":[{"type":' \
    '"evented","name":"a","unit":"microseconds","startValue":1,"endValue":9.5,"events":[{"type":"O",' \
    '"at":1,"frame":0},{"type":"O","at":2.5,"frame":1},{"type":"C","at":3,"frame":1}]},{"type":' \
    '"sampled","name":"b-7/8: c","unit":"none","startValue":0,"endValue":3,"samples":[[0,1],[0]],' \
    '"weights":[2,0.5]}],"exporter":"backsight 1","activeProfileIndex":1,"shared":{"frames":[{"name":' \
    '"main","file":"/a.c","line":3,"col":7},{"name":"work"}]}}' >"$corpus/speedscope_in/both"
printf '%s' '{"nodes":[{"id":1,"callFrame":{"functionName":"(root)","scriptId":"0","url":"",' \
    '"lineNumber":-1,"columnNumber":-1},"hitCount":0,"children":[2,3]},{"id":2,"callFrame":' \
    '{"functionName":"","url":"file:///a%20b.js","lineNumber":4},"hitCount":1},{"id":3,"callFrame":' \
    '{"functionName":"(idle)","url":"","lineNumber":-1},"hitCount":2}],"startTime":5,"endTime":90,' \
    '"samples":[2,3,3],"timeDeltas":[10,-2,30]}' >"$corpus/cpuprofile_in/each"
# A sample, a row of a heap and symbols, all of one address.
printf '%b' '\0012\0102\0100\0001\0120\0001\0142\0061\0052\0005\0010\0001\0022\0001\0146\0062\0010\0010\0001\0020\0001\0030' \
    '\0001\0040\0007\0072\0004\0010\0001\0020\0001\0202\0001\0006\0010\0001\0022\0002\0061\0062\0212\0001\0005\0010' \
    '\0001\0022\0001\0141\0232\0001\0006\0010\0001\0020\0001\0070\0001\0150\0001\0222\0004\0006\0020\0005\0030\0006' \
    '\0040\0001\0012\0021\0120\0001\0252\0002\0014\0052\0012\0010\0005\0022\0006\0010\0001\0020\0011\0050\0002\0012' \
    '\0031\0352\0003\0026\0012\0002\0057\0141\0022\0002\0061\0062\0032\0014\0010\0007\0022\0010\0012\0001\0147\0022' \
    '\0001\0150\0030\0003' >"$corpus/perfetto_in/each"
head -n 60 /proc/kallsyms >"$corpus/kallsyms/head"
printf '%s t %s\t[%s]\n' ffffffffc0301000 bpf_prog_6deef7357e7b4530_count bpf \
    ffffffffc0201000 veth_xmit veth ffffffffc0401000 ftrace_trampoline __builtin__ftrace |
    cat "$corpus/kallsyms/head" - >"$corpus/kallsyms/modules"
printf '0000000000000000 T _text\n0000000000000000 t cu' >"$corpus/kallsyms/hidden"
gcc -g -O1 -fno-omit-frame-pointer -o "$work/prog" "$work/a.c"
# Recordings that no machine here makes.
cargo run -q -p testkit --example perf_seeds -- "$corpus/perf_data_in"

if perf record -q -e cpu-clock -F 99 -g -o "$work/perf.data" "$work/prog" 2>/dev/null; then
    cp "$work/perf.data" "$corpus/perf_data_in/file"
    perf record -q -e cpu-clock -F 99 -g -z -o "$corpus/perf_data_in/packed" "$work/prog"
    perf record -q -e cpu-clock -F 99 -g -o - "$work/prog" >"$corpus/perf_data_in/pipe"
    perf script -i "$work/perf.data" | head -n 60 >"$corpus/perf_script_in/chains"
    perf script -i "$work/perf.data" -G | head -n 20 >"$corpus/perf_script_in/flat"
    "$backsight" convert -i "$work/perf.data" -o "$corpus/pprof_in/prog.pb.gz"
    gzip -dc "$corpus/pprof_in/prog.pb.gz" >"$corpus/pprof_in/prog.pb"
    "$backsight" convert -i "$work/perf.data" -o "$corpus/otlp_in/prog.otlp"
    "$backsight" convert -i "$work/perf.data" -o "$corpus/folded_in/prog.folded"
    "$backsight" convert -i "$work/perf.data" -o "$corpus/ndjson_in/prog.ndjson"
else
    echo "perf does not record here: no seeds of profiles" >&2
fi
