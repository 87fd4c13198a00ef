"""Writes archives of many kinds into the directory of its first argument, and prints the members
of each as Python's zipfile wrote them: archive, stored or not, start and end of the contents in
the file, and the name in hexadecimal digits. A last field says whether zipfile reads the archive
back with the same members."""

import io
import os
import random
import sys
import warnings
import zipfile

warnings.simplefilter("ignore")
END = b"PK\x05\x06"
rng = random.Random(20)


def some_bytes(limit):
    return rng.randbytes(rng.randrange(limit))


def prefix():
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("inner", b"inner")
    return rng.choice(
        [
            b"",
            b"",
            b"#!/bin/sh\nexit\n",
            b"\x7fELF" + some_bytes(5000),
            b"PK\x03\x04" + some_bytes(100),
            some_bytes(70_000),
            inner.getvalue(),
            inner.getvalue() * 3,
            END + bytes(18),
        ]
    )


def comment():
    return rng.choice(
        [
            b"",
            b"",
            b"a comment",
            b"before " + END + b" behind",
            END * 3,
            END + bytes(17),
            END + b"\xff" * 18,
            some_bytes(65_536),
            (END + some_bytes(100)) * 80,
            b"x" * 65_535,
            b"PK\x06\x07" + bytes(16),
        ]
    )


def entry(number, names):
    name = rng.choice(["lib/x.so", "a!/b", "", "é", "lib/%d.so", "@0x40", "x@0x%d"])
    name = name % number if "%" in name else name
    if names and rng.random() < 0.15:
        name = rng.choice(names)
    info = zipfile.ZipInfo(name or "empty%d" % number)
    info.compress_type = rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    if rng.random() < 0.3:
        # Padding, as zipalign puts it in, and the longest that there can be.
        size = rng.choice([4, 100, 4096, 65_000])
        info.extra = b"\x35\xd9" + (size - 4).to_bytes(2, "little") + bytes(size - 4)
    if rng.random() < 0.2:
        info.comment = rng.choice([b"c", END, b"c" * 65_535])
    return info


def write(path, count, many=False):
    before = prefix()
    # Offsets count from the start of the file, or from the start of the archive.
    is_part_of_file = rng.random() < 0.5
    out = io.BytesIO(before if is_part_of_file else b"")
    out.seek(0, io.SEEK_END)
    names = []
    with zipfile.ZipFile(out, "a" if is_part_of_file else "w") as archive:
        archive.comment = comment()
        for number in range(count):
            info = zipfile.ZipInfo("m%d" % number) if many else entry(number, names)
            names.append(info.filename)
            contents = b"" if many else some_bytes(rng.choice([2, 100, 20_000]))
            with archive.open(info, "w", force_zip64=rng.random() < 0.3) as member:
                member.write(contents)
        infos = list(archive.infolist())
    shift = 0 if is_part_of_file else len(before)
    data = out.getvalue() if is_part_of_file else before + out.getvalue()
    if is_part_of_file and zipfile.is_zipfile(io.BytesIO(before)):
        # What was appended to an archive has its members, too.
        shift = 0
    with open(path, "wb") as file:
        file.write(data)
    try:
        read = [(i.orig_filename, i.header_offset) for i in zipfile.ZipFile(path).infolist()]
        written = [(i.orig_filename, i.header_offset + shift) for i in infos]
        is_read = read == written
    except Exception:
        is_read = False
    for info in infos:
        header = info.header_offset + shift
        local = data[header : header + 30]
        assert local[:4] == b"PK\x03\x04", path
        start = header + 30 + int.from_bytes(local[26:28], "little")
        start += int.from_bytes(local[28:30], "little")
        name = info.orig_filename
        name = name.encode("utf-8" if info.flag_bits & 0x800 else "cp437")
        if not name.isascii():
            name = info.orig_filename.encode("utf-8")
        stored = int(info.compress_type == zipfile.ZIP_STORED)
        row = [os.path.basename(path), stored, start, start + info.compress_size]
        print(*row, name.hex() or "-", int(is_read))


for number in range(150):
    write(os.path.join(sys.argv[1], "%d.zip" % number), rng.randrange(1, 12))
# More than 16 bits can count.
write(os.path.join(sys.argv[1], "many.zip"), 70_000, many=True)
