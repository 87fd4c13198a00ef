"""Failures are exceptions of kinds; no panic and no crash is an answer."""

import copy
import os
import pickle
import subprocess
import sys
import threading

import backsight
import pytest
from backsight import _backsight, _errors

NO_PID = 2**22 + 1


def test_kinds_are_those_of_the_c_library_and_of_python():
    for error, base in [
        (backsight.NoSuchProcess, ProcessLookupError),
        (backsight.ProcessGone, ProcessLookupError),
        (backsight.AccessDenied, PermissionError),
        (backsight.NoSuchFile, FileNotFoundError),
        (backsight.InputOutputError, OSError),
        (backsight.Damaged, ValueError),
        (backsight.NotFound, LookupError),
    ]:
        assert issubclass(error, backsight.Error) and issubclass(error, base)
    names = {name for name in backsight.__all__ if name in vars(_errors)}
    errors = {it.__name__ for it in vars(_errors).values() if isinstance(it, type)}
    assert names == errors


def test_a_process_that_is_not_there():
    for open_it in (backsight.Process, backsight.Session):
        with pytest.raises(backsight.NoSuchProcess) as raised:
            open_it(NO_PID)
        assert str(raised.value) == f"process {NO_PID}: no such process"
        assert raised.value.errno == 3
        assert raised.value.kind == "no-such-process"


def test_a_process_that_has_ended():
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        process = backsight.Process(child.pid)
        process.symbolize([0x10])
        child.stdin.close()
        child.wait()
        with pytest.raises(backsight.ProcessGone):
            process.symbolize([0x10])


@pytest.mark.parametrize("pid", [-1, 2**32, 1.5, "1", None])
def test_what_is_no_pid(pid):
    with pytest.raises((OverflowError, TypeError)):
        backsight.Session(pid)


def test_files_that_are_not_there_or_damaged(tmp_path):
    missing = tmp_path / "missing"
    for call in (
        lambda: backsight.Profile.read(missing),
        lambda: backsight.Symbolizer().add_file(missing),
        lambda: backsight.Index.build(missing),
        lambda: backsight.Index.open(missing),
    ):
        with pytest.raises(backsight.NoSuchFile) as raised:
            call()
        assert raised.value.errno == 2
        assert str(missing) in str(raised.value)
    damaged = tmp_path / "perf.data"
    damaged.write_bytes(b"PERFILE2" + bytes(10))
    with pytest.raises(backsight.Damaged):
        backsight.Profile.read(damaged)
    with pytest.raises(backsight.Damaged):
        backsight.Index.build(damaged)
    with pytest.raises(backsight.Damaged):
        backsight.Index.open(damaged)
    unknown = tmp_path / "x"
    unknown.write_bytes(b"\x00\x01")
    with pytest.raises(backsight.UnknownFormat):
        backsight.Profile.read(unknown)
    with pytest.raises(backsight.UnknownFormat, match="no format is called \"gif\""):
        backsight.Profile.read(unknown, format="gif")
    with pytest.raises(backsight.Damaged):
        backsight.Snapshot("no maps")


def everything(tmp_path):
    folded = tmp_path / "x.folded"
    folded.write_text("main;work 3\n")
    process, session = backsight.Process(os.getpid()), backsight.Session(os.getpid())
    symbolizer, index = backsight.Symbolizer(), backsight.Index.build(sys.executable)
    profile = backsight.Profile.read(folded)
    return {
        process: lambda: process.symbolize([1]),
        session: lambda: session.normalize([1]),
        symbolizer: lambda: symbolizer.usage(),
        index: lambda: index.verify(),
        profile: lambda: profile.symbolize(),
    }


def test_what_was_closed_is_refused(tmp_path):
    for thing, use in everything(tmp_path).items():
        use()
        thing.close()
        thing.close()
        with pytest.raises(backsight.Closed, match="was closed"):
            use()
        assert "backsight" in repr(thing)


def test_nothing_is_pickled_or_copied(tmp_path):
    things = list(everything(tmp_path))
    things += [
        backsight.Snapshot("1000-2000 r-xp 00000000 fe:00 77 /x"),
        backsight.SymbolOptions(),
        things[0].symbolize([1]),
        things[0].symbolize([1])[0],
    ]
    for thing in things:
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with pytest.raises(TypeError, match="cannot pickle"):
                pickle.dumps(thing, protocol)
        with pytest.raises(TypeError):
            copy.deepcopy(thing)


def test_a_forked_child_makes_its_own(tmp_path):
    things = everything(tmp_path)
    for use in things.values():
        use()
    # Held by another thread while it forks: the child must not wait for it.
    child = os.fork()
    if child == 0:
        code = 1
        try:
            for thing, use in things.items():
                for call in (use, thing.close):
                    try:
                        call()
                        os._exit(2)
                    except backsight.Forked:
                        pass
            with backsight.Process(os.getpid()) as own:
                code = 0 if own.symbolize([0x10])[0].reason == "unmapped" else 3
            things.clear()
            del thing, use, call
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_panic_is_an_exception():
    with pytest.raises(backsight.InternalError) as raised:
        _backsight._panic()
    assert str(raised.value) == "a bug in backsight, please report it: of a test"


def test_what_a_fetch_function_raises_or_calls(monkeypatch):
    seen, raised = [], []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: raised.append(what.exc_type))

    def fetch(build_id, path, kind):
        with pytest.raises(backsight.InCallback):
            symbolizer.usage()
        seen.append(kind)
        raise ZeroDivisionError

    options = backsight.SymbolOptions(fetch=fetch, debug_dirs=[], default_debug_dir=False)
    symbolizer = backsight.Symbolizer(options)
    module = symbolizer.add_build_id(b"\x01" * 20)
    answers = symbolizer.symbolize(module, [0x1000])
    assert answers[0].reason == "no-symbols" and "module" in seen
    assert set(raised) == {ZeroDivisionError}


def test_threads_share_an_object():
    process, wrong = backsight.Process(os.getpid()), []

    def ask():
        for _ in range(50):
            if process.symbolize([0x10])[0].reason != "unmapped":
                wrong.append(1)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
