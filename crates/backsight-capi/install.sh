#!/bin/sh
# Installs libbacksight with its header and pkg-config file, as `cargo cinstall` does:
#
#     cargo build --release -p backsight-capi
#     crates/backsight-capi/install.sh --from target/release --prefix /usr/local
#
# --destdir DIR: everything goes below DIR, and refers to the prefix.
# --libdir DIR: the directory of libraries below the prefix, `lib` by default.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
from= prefix=/usr/local destdir= libdir=lib
while [ $# -gt 0 ]; do
    [ $# -gt 1 ] || { echo "install.sh: $1 wants a directory" >&2; exit 2; }
    case $1 in
    --from) from=$2 ;;
    --prefix) prefix=$2 ;;
    --destdir) destdir=$2 ;;
    --libdir) libdir=$2 ;;
    *) echo "install.sh: $1: no such option" >&2; exit 2 ;;
    esac
    shift 2
done
for file in libbacksight_capi.so libbacksight_capi.a; do
    [ -f "$from/$file" ] && continue
    echo "install.sh: $from/$file is not there: run \`cargo build --release -p backsight-capi\`," \
        "and give its directory with --from" >&2
    exit 1
done

# The version of the workspace, or that of a package.
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$here/Cargo.toml" "$here/../../Cargo.toml" 2>/dev/null | head -n 1)
major=${version%%.*}
minor=${version#*.}
minor=${minor%%.*}
# As build.rs has the soname.
case $major in
0) soname=libbacksight.so.$major.$minor ;;
*) soname=libbacksight.so.$major ;;
esac

lib=$destdir$prefix/$libdir
include=$destdir$prefix/include
mkdir -p "$lib/pkgconfig" "$include"
install -m 644 "$here/include/backsight.h" "$include/backsight.h"
install -m 755 "$from/libbacksight_capi.so" "$lib/libbacksight.so.$version"
ln -sf "libbacksight.so.$version" "$lib/$soname"
ln -sf "libbacksight.so.$version" "$lib/libbacksight.so"
install -m 644 "$from/libbacksight_capi.a" "$lib/libbacksight.a"
cat >"$lib/pkgconfig/backsight.pc" <<END
prefix=$prefix
exec_prefix=\${prefix}
libdir=\${exec_prefix}/$libdir
includedir=\${prefix}/include

Name: backsight
Description: From stack addresses to functions and lines
Version: $version
Libs: -L\${libdir} -lbacksight
Cflags: -I\${includedir}
Libs.private: -lgcc_s -lutil -lrt -lpthread -lm -ldl -lc
END
