"""What is an address, and what is refused."""

import array
import os

import backsight
import numpy
import pytest

ADDRESSES = [0x10, 2**63, 2**64 - 1, 0]


@pytest.fixture
def session():
    with backsight.Session(os.getpid()) as session:
        yield session


def asked(places):
    return [place.address for place in places]


@pytest.mark.parametrize(
    "given",
    [
        ADDRESSES,
        tuple(ADDRESSES),
        iter(ADDRESSES),
        [numpy.uint64(it) for it in ADDRESSES],
        array.array("Q", ADDRESSES),
        array.array("L", ADDRESSES),
        memoryview(array.array("Q", ADDRESSES)),
        numpy.array(ADDRESSES, dtype=numpy.uint64),
        # With gaps, backwards, and not aligned.
        numpy.repeat(numpy.array(ADDRESSES, dtype=numpy.uint64), 2)[::2],
        numpy.array(ADDRESSES[::-1], dtype=numpy.uint64)[::-1],
        numpy.frombuffer(b"x" + array.array("Q", ADDRESSES).tobytes(), "u8", offset=1),
        array.array("Q", ADDRESSES).tobytes(),
        bytearray(array.array("Q", ADDRESSES).tobytes()),
    ],
    ids=lambda given: type(given).__name__,
)
def test_each_kind_has_the_same_places(session, given):
    places = session.normalize(given)
    assert asked(places) == ADDRESSES
    assert [place.reason for place in places] == ["unmapped", "unmapped", "kernel", "unmapped"]


@pytest.mark.parametrize("given", [[], b"", array.array("Q"), numpy.array([], "u8"), ()])
def test_none_has_no_places(session, given):
    assert len(session.normalize(given)) == 0


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ([1, -1], ValueError, "address 1, -1, is negative"),
        ([2**64], ValueError, "address 0, 18446744073709551616, has more than 64 bits"),
        ([1, 2, 3.5], TypeError, "address 2, 3.5, is no integer"),
        ([None], TypeError, "address 0, None, is no integer"),
        (["0x10"], TypeError, "address 0, '0x10', is no integer"),
        ("0x10", TypeError, "not str"),
        (16, TypeError, "not int"),
        (None, TypeError, "not NoneType"),
        (b"1234567", ValueError, "7 bytes are no addresses"),
        (numpy.array([1], dtype="i8"), TypeError, "format \"l\""),
        (numpy.array([1], dtype="u4"), TypeError, "format \"I\""),
        (numpy.array([1], dtype="f8"), TypeError, "format \"d\""),
        (numpy.array([1], dtype="u1"), TypeError, "format \"B\""),
        (numpy.array([1], dtype=">u8"), TypeError, "format \">Q\""),
        (numpy.array([1], dtype=object), TypeError, "format \"O\""),
        (numpy.zeros((2, 2), dtype="u8"), ValueError, "one dimension, not 2"),
        (numpy.array(1, dtype="u8"), TypeError, "not ndarray"),
    ],
    ids=str,
)
def test_what_is_none_is_said(session, given, error, said):
    with pytest.raises(error) as raised:
        session.normalize(given)
    assert said in str(raised.value)
    if error is ValueError:
        assert isinstance(raised.value, backsight.BadArgument)


def test_what_an_iterator_raises_is_raised(session):
    def broken():
        yield 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        session.normalize(broken())


def test_a_buffer_is_not_copied_and_python_runs_meanwhile(tmp_path):
    """While names are looked up, another thread runs Python, and the buffer is held."""
    said = []
    addresses = array.array("Q", [0x1000])

    def fetch(build_id, path, kind):
        try:
            addresses.append(1)
        except BufferError as error:
            said.append(str(error))
        said.append((build_id, path, kind))

    options = backsight.SymbolOptions(fetch=fetch, debug_dirs=[tmp_path], default_debug_dir=False)
    with backsight.Symbolizer(options) as symbolizer:
        module = symbolizer.add_build_id("0123456789abcdef0123456789abcdef01234567")
        answers = symbolizer.symbolize(module, addresses)
    assert answers[0].frames == []
    assert "cannot resize an array that is exporting buffers" in said
    build_id = bytes.fromhex("0123456789abcdef0123456789abcdef01234567")
    assert (build_id, None, "module") in said
    # It is given back.
    addresses.append(1)
