"""Names and places, compared with what the dynamic linker, /proc and binutils say."""

import collections.abc
import ctypes
import os
import shutil
import subprocess
import sys

import backsight
import pytest


class DlInfo(ctypes.Structure):
    _fields_ = [
        ("file", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("start", ctypes.c_void_p),
    ]


def dladdr(address):
    info = DlInfo()
    assert ctypes.CDLL(None).dladdr(ctypes.c_void_p(address), ctypes.byref(info))
    return info


def functions():
    """Functions of the interpreter and of libc, where they are in this process."""
    names = ["Py_IncRef", "PyList_New", "PyObject_Repr", "malloc", "qsort", "getpid"]
    library = ctypes.PyDLL(None)
    return [ctypes.cast(getattr(library, name), ctypes.c_void_p).value for name in names]


def mapped(address):
    """What /proc says is there: the file and the offset in it."""
    with open("/proc/self/maps") as maps:
        for line in maps:
            span, _, offset, _, _, *path = line.split(maxsplit=5)
            start, end = (int(it, 16) for it in span.split("-"))
            if start <= address < end:
                return path[0].strip(), address - start + int(offset, 16)
    raise LookupError(address)


def test_functions_are_those_of_the_dynamic_linker():
    with backsight.Process(os.getpid()) as process:
        answers = process.symbolize(functions(), kind="exact")
        inside = process.symbolize([it + 1 for it in functions()], kind="exact")
    for address, answer, after in zip(functions(), answers, inside, strict=True):
        known = dladdr(address)
        frame = answer.frames[-1]
        assert answer.address == address and answer.reason is None
        assert frame.offset == address - known.start
        # libc has several names for one function.
        assert known.name.decode() in (frame.function, frame.function.removeprefix("__libc_")) or (
            known.name.decode() in frame.function
        )
        assert after.frames[-1].function == frame.function
        assert after.frames[-1].offset == frame.offset + 1


def test_places_are_those_of_proc():
    with backsight.Session(os.getpid()) as session:
        places = session.normalize(functions())
        modules = session.modules()
        texts = backsight.Session(os.getpid(), text=True).normalize(functions())
    for address, place, text in zip(functions(), places, texts, strict=True):
        path, offset = mapped(address)
        assert (place.module.path, place.file_offset) == (path, offset)
        assert (text.module.path, text.file_offset) == (path, offset)
        assert place.module.inode == os.stat(path).st_ino
        assert place.module == modules[place.module.index]
    with open("/proc/self/maps") as maps:
        saved = backsight.Snapshot(maps.read())
    for place, found in zip(places, saved.normalize(functions()), strict=True):
        assert found.module.path == place.module.path
        assert found.file_offset == place.file_offset


def test_a_stack_has_return_addresses_behind_the_first():
    start = ctypes.cast(ctypes.PyDLL(None).PyList_New, ctypes.c_void_p).value
    with backsight.Process(os.getpid()) as process:
        exact, back = process.symbolize([start, start], kind="stack")
        assert exact.function == "PyList_New"
        assert back.function != "PyList_New"
        with pytest.raises(backsight.BadArgument, match='"stack", "exact" or "return"'):
            process.symbolize([start], kind="other")


def nm(path):
    said = subprocess.run(["nm", "-D", "--defined-only", path], capture_output=True, text=True)
    rows = (line.split() for line in said.stdout.splitlines())
    return {row[2].split("@")[0]: int(row[0], 16) for row in rows if row[1:2] in (["T"], ["W"])}


@pytest.fixture
def libc():
    return dladdr(ctypes.cast(ctypes.CDLL(None).qsort, ctypes.c_void_p).value).file.decode()


@pytest.mark.skipif(not shutil.which("nm"), reason="there is no nm")
def test_symbols_and_offsets_of_a_file(libc, tmp_path):
    wanted = nm(libc)
    wanted = {name: wanted[name] for name in ["qsort", "getenv", "strtol", "fopen"]}
    with backsight.Symbolizer() as symbolizer:
        module = symbolizer.add_file(libc)
        for name, start in wanted.items():
            found = symbolizer.symbols(module, name)
            assert start in [it.start for it in found], found
        answers = symbolizer.symbolize(module, list(wanted.values()))
        assert [it.frames[-1].start for it in answers] == list(wanted.values())
        assert [it.virtual_offset for it in answers] == list(wanted.values())
        # The index has the same.
        index = backsight.Index.build(libc)
        index.write(tmp_path / "libc.index")
        again = backsight.Index.open(tmp_path / "libc.index")
        again.verify()
        other = symbolizer.add_index(again)
        from_index = symbolizer.symbolize(other, list(wanted.values()))
        assert [it.frames for it in from_index] == [it.frames for it in answers]
        assert again.build_id == index.build_id and again.tables == index.tables
        kept = index.keep(tmp_path)
        assert os.path.samefile(kept.parent, tmp_path) and index.build_id.hex() in kept.name
        assert symbolizer.usage()["modules"] == 2
        symbolizer.evict(0)
        symbolizer.remove(module)
        for call in (lambda: symbolizer.remove(module), lambda: symbolizer.symbols(99)):
            with pytest.raises(backsight.NotFound):
                call()


def lines(answer):
    return [(it.function, it.file, it.line, it.start, it.inlined) for it in answer.frames]


def test_modules_of_a_session_are_symbolized():
    with (
        backsight.Session(os.getpid(), images=True) as session,
        backsight.Process(os.getpid()) as process,
        backsight.Symbolizer() as symbolizer,
    ):
        asked = process.symbolize(functions(), kind="exact")
        for place, answer in zip(session.normalize(functions()), asked, strict=True):
            module = symbolizer.add_module(session, place.module.index)
            by_file = symbolizer.symbolize(module, [place.file_offset], kind="file_offset")
            assert lines(by_file[0]) == lines(answer)
            back = symbolizer.symbolize(module, [place.virtual_offset + 1], lookup="return")
            assert back[0].function == answer.function
        with pytest.raises(backsight.NotFound):
            symbolizer.add_module(session, 10**6)
    with backsight.Session(os.getpid()) as session, backsight.Symbolizer() as symbolizer:
        session.normalize(functions())
        with pytest.raises(backsight.BadOptions, match="images=True"):
            symbolizer.add_module(session, 0)


def test_another_build_is_not_used():
    with backsight.Symbolizer() as symbolizer:
        module = symbolizer.add_file(sys.executable, build_id="ab" * 20)
        assert symbolizer.symbolize(module, [0x1000])[0].reason is not None
        for wrong in ("xy", b"", b"\x00" * 65):
            with pytest.raises(backsight.BadArgument, match="build_id"):
                symbolizer.add_build_id(wrong)


def test_names_only_has_no_lines(libc):
    options = backsight.SymbolOptions(names_only=True)
    with backsight.Process(os.getpid(), symbols=options) as process:
        frames = [answer.frames for answer in process.symbolize(functions(), kind="exact")]
    assert all(len(it) == 1 and it[0].line is None and it[0].function for it in frames)


def test_answers_are_sequences():
    with backsight.Process(os.getpid()) as process:
        answers = process.symbolize([16, 17, 18])
    assert isinstance(answers, collections.abc.Sequence)
    assert [it.address for it in answers] == [16, 17, 18]
    assert [it.address for it in answers[::-1]] == [18, 17, 16]
    assert [it.address for it in answers[1:99]] == [17, 18]
    assert answers[-1] == answers[2] != answers[0]
    assert answers[0] in answers and list(reversed(answers))[0].address == 18
    for wrong in (3, -4):
        with pytest.raises(IndexError):
            answers[wrong]
    with pytest.raises(TypeError):
        answers["0"]
    assert str(answers).splitlines()[1] == "0x11               [unmapped]"


def test_paths_that_are_not_utf8():
    line = b"55d0c0001000-55d0c0002000 r-xp 00001000 fe:00 77 /srv/\xff\x1b"
    module = backsight.Snapshot(line).normalize([0x55D0C0001234])[0].module
    assert os.fsencode(module.path) == b"/srv/\xff\x1b"
    assert str(module) == "/srv/\\xff\\x1b"


def test_stacks_of_another_process():
    code = "import sys, time; print('here', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"here\n"
        wait_until_it_reads(child.pid)
        with backsight.Process(child.pid) as process:
            (thread,) = process.stacks()
            with pytest.raises(backsight.NotFound, match="no thread"):
                process.stacks(tid=os.getpid())
        child.stdin.close()
    if thread.refused:
        pytest.skip(f"this user may not trace: {thread.refused}")
    names = [frame.function for answer in thread.answers for frame in answer.frames]
    assert thread.tid == child.pid and thread.end == "outermost"
    assert any("read" in name for name in names), names
    assert any(name.startswith("_PyEval_EvalFrame") for name in names), names
    assert "Py_BytesMain" in names


def wait_until_it_reads(pid):
    while True:
        with open(f"/proc/{pid}/stat") as stat:
            if stat.read().rsplit(")", 1)[1].split()[0] == "S":
                return
