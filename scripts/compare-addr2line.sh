#!/bin/sh
# Asks binutils' addr2line and `backsight addr2line` the same 1,000 addresses of each
# file, and counts in which known way the answers differ. docs/addr2line.md says what
# is behind each class. What fits none is printed, and the exit code is 1.
#
#   scripts/compare-addr2line.sh [FILE…]
#
# Without files: those of `default_files` that are there. BACKSIGHT names the command
# (else it is built), COUNT how many addresses of each file are asked.
# llvm-symbolizer, where it is installed, is the judge between the two.
set -eu
export LC_ALL=C

count=${COUNT:-1000}
kinds='alias symbol-name inlined-name assembly stretched symtab-file file-table binutils-alone unexplained'

main() {
    command -v addr2line >/dev/null && command -v readelf >/dev/null || {
        echo "compare-addr2line: needs addr2line and readelf: install binutils" >&2
        exit 2
    }
    if [ -z "${BACKSIGHT:-}" ]; then
        cd "$(dirname "$0")/.."
        cargo build --quiet
        BACKSIGHT=${CARGO_TARGET_DIR:-target}/debug/backsight
    fi
    [ $# -gt 0 ] || set -- $(default_files)
    dir=$(mktemp -d)
    trap 'rm -rf "$dir"' EXIT
    unexplained=0
    addr2line --version | head -n 1
    row file addresses equal discriminator directory $kinds
    for file in "$@"; do
        compare "$file"
    done
    [ "$unexplained" = 0 ]
}

default_files() {
    for file in /lib/x86_64-linux-gnu/libc.so.6 /lib64/ld-linux-x86-64.so.2 /bin/bash \
        /usr/lib/x86_64-linux-gnu/libstdc++.so.6 "$BACKSIGHT"; do
        if [ -e "$file" ]; then echo "$file"; fi
    done
}

row() {
    printf '%-22s %9s %5s %13s %9s %5s %11s %12s %8s %9s %11s %10s %14s %11s\n' "$@"
}

compare() {
    addresses "$1" >"$dir/addresses"
    addr2line -a -f -i -e "$1" <"$dir/addresses" | blocks >"$dir/theirs"
    "$BACKSIGHT" addr2line -a -f -i -e "$1" <"$dir/addresses" | blocks >"$dir/ours"
    if command -v llvm-symbolizer >/dev/null; then
        llvm-symbolizer --output-style=GNU --addresses --functions=linkage --inlines \
            --no-demangle --obj="$1" <"$dir/addresses" | blocks >"$dir/judge"
    else
        sed 's/	.*//' "$dir/ours" >"$dir/judge"
    fi
    # Every symbol's place, to tell an alias from another function.
    id=$(readelf -nW "$1" 2>/dev/null | sed -n 's/.*Build ID: *//p' | head -n 1)
    debug=/usr/lib/debug/.build-id/$(echo "$id" | cut -c 1-2)/$(echo "$id" | cut -c 3-).debug
    [ -e "$debug" ] || debug=$1
    { readelf -sW "$1"; readelf -sW "$debug"; } 2>/dev/null |
        awk '$1 ~ /^[0-9]+:$/ { sub(/@.*/, "", $8); print $2 "\t" $8 }' | sort -u >"$dir/symbols"
    paste -d '\n' "$dir/ours" "$dir/theirs" "$dir/judge" |
        awk -F '\t' -v symbols="$dir/symbols" "$classes" >"$dir/classes"
    counted() { grep -c "^$1	" "$dir/classes" || true; }
    row "$(basename "$1")" "$(wc -l <"$dir/addresses" | tr -d ' ')" \
        $(for class in equal discriminator directory $kinds; do counted "$class"; done)
    if grep '^unexplained	' "$dir/classes"; then unexplained=1; fi
}

# Addresses spread over the code, each as readelf counts.
addresses() {
    set -- $(readelf -SW "$1" | sed 's/^ *\[ *[0-9]*\] *//' | awk '$1 == ".text" { print $3, $5 }')
    [ $# = 2 ] || { echo "compare-addr2line: a file without .text" >&2; exit 2; }
    start=$((0x$1)) size=$((0x$2)) i=0
    while [ $i -lt "$count" ]; do
        printf '0x%x\n' $((start + size * i / count))
        i=$((i + 1))
    done
}

# A line for each address: the address, then function and place of each level.
blocks() {
    awk '
        /^0x[0-9a-f]+$/ { if (NR > 1) print ""; printf "%s", $0; next }
        NF { printf "\t%s", $0 }
        END { print "" }'
}

# Three lines at a time: ours, theirs, the judge'"'"'s.
classes='
    BEGIN {
        while ((getline line <symbols) > 0) {
            split(line, symbol, "\t")
            starts[symbol[2]] = starts[symbol[2]] " " symbol[1] " "
        }
    }
    { lines[NR % 3] = $0 }
    NR % 3 == 0 {
        ours = lines[1]; theirs = lines[2]
        print class(ours, theirs, lines[0]) "\t" ours "\t|" theirs
    }
    function class(ours, theirs, judge,    n, m, i, kind) {
        if (ours == theirs) return "equal"
        gsub(/ \(discriminator [0-9]+\)/, "", theirs)
        if (ours == theirs) return "discriminator"
        n = split(ours, our, "\t"); m = split(theirs, their, "\t")
        for (i = 3; i <= m; i += 2) their[i] = once(their[i], our[i])
        if (joined(our, n) == joined(their, m)) return "directory"
        if (n == m) {
            kind = ""
            for (i = 2; i <= n && kind != "none"; i++)
                if (our[i] != their[i]) kind = difference(i, n)
            if (kind != "none") return kind
        }
        # The same for both: unknown lines have several marks, and a directory twice.
        m = split(judge, their, "\t")
        for (i = 3; i <= m; i += 2) their[i] = once(their[i], our[i])
        return plain(joined(our, n)) == plain(joined(their, m)) ? "binutils-alone" : "unexplained"
    }
    # Names stand in even places, files and lines in odd ones.
    function difference(i, n) {
        if (i % 2 == 0) {
            # An inlined function under the name of the one around it.
            if (i < n - 1) return index(their[i], their[n - 1]) ? "inlined-name" : "none"
            if (our[i] == "??" && their[i] in starts) return "stretched"
            if (same_start(our[i], their[i])) return "alias"
            # _M_invoke and _ZNSt17_Function_handler…9_M_invoke…
            if (their[i] in starts && index(their[i], our[i])) return "symbol-name"
            if (our[i] in starts && our[i + 1] ~ /\.[sS]:/) return "assembly"
            return "none"
        }
        if (our[i] ~ /^\?\?:[?0]$/ && their[i] ~ /:\?$/) {
            # Without a function of ours, all that they know is a symbol.
            return our[i - 1] == "??" ? "stretched" : "symtab-file"
        }
        return number(our[i]) == number(their[i]) ? "file-table" : "none"
    }
    function number(place) { sub(/.*:/, "", place); return place }
    # ./inet/./inet/rcmd.c is ./inet/rcmd.c
    function once(their, our,    before) {
        if (length(their) <= length(our) || our == "") return their
        before = substr(their, 1, length(their) - length(our))
        if (before our != their || before !~ /\/$/) return their
        return index(our, before) == 1 || index(our "/", before) == 1 ? our : their
    }
    function joined(parts, n,    i, text) {
        for (i = 2; i <= n; i++) text = text "\t" parts[i]
        return text
    }
    function plain(text) { gsub(/:[?0]/, ":?", text); return text }
    function same_start(one, other,    n, list, i) {
        n = split(starts[one], list, " ")
        for (i = 1; i <= n; i++) if (index(starts[other], " " list[i] " ")) return 1
        return 0
    }'

main "$@"
