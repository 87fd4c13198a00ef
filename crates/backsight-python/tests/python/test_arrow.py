"""Answers and places as record batches, which pyarrow reads, checks and puts together."""

import ctypes
import os

import backsight
import pyarrow


def malloc():
    return ctypes.cast(ctypes.CDLL(None).malloc, ctypes.c_void_p).value


def test_answers_are_a_record_batch():
    with backsight.Process(os.getpid()) as process:
        answers = process.symbolize([malloc(), 0x10, malloc() + 8])
    batch = pyarrow.record_batch(answers)
    batch.validate(full=True)
    rows = batch.to_pylist()
    assert len(rows) == 3
    for row, answer in zip(rows, answers, strict=True):
        module = answer.module
        assert row["address"] == answer.address
        assert row["module"] == (module and module.path)
        assert row["build_id"] == (module and module.build_id and module.build_id.hex())
        assert row["file_offset"] == answer.file_offset
        assert row["virtual_offset"] == answer.virtual_offset
        assert row["reason"] == answer.reason
        assert len(row["frames"]) == len(answer.frames)
        for shown, frame in zip(row["frames"], answer.frames, strict=True):
            assert shown == {name: getattr(frame, name) for name in shown}
    assert rows[0]["frames"] and not rows[1]["frames"] and rows[1]["reason"] == "unmapped"


def test_places_are_a_record_batch():
    with backsight.Session(os.getpid()) as session:
        places = session.normalize([malloc(), 0x10])
    batch = pyarrow.record_batch(places)
    batch.validate(full=True)
    found, none = batch.to_pylist()
    assert found["file_offset"] == places[0].file_offset
    assert found["module"] == places[0].module.path and found["reason"] is None
    assert none == {
        "address": 0x10,
        "module": None,
        "build_id": None,
        "file_offset": None,
        "virtual_offset": None,
        "reason": "unmapped",
    }


def test_batches_of_any_rows_are_of_one_type():
    with backsight.Process(os.getpid()) as process:
        batches = [
            pyarrow.record_batch(process.symbolize(addresses))
            for addresses in ([], [0x10], [malloc()], [malloc()] * 1000)
        ]
    table = pyarrow.Table.from_batches(batches)
    table.validate(full=True)
    assert table.num_rows == 1002
    assert not table.schema.field("address").nullable
    assert table.schema.field("module").nullable


def test_a_batch_outlives_the_answers():
    with backsight.Process(os.getpid()) as process:
        batch = pyarrow.record_batch(process.symbolize([malloc()] * 10_000, kind="exact"))
    expected = batch.to_pylist()[0]
    assert all(row == expected for row in batch.to_pylist())


def test_capsules_that_nobody_takes_are_released():
    with backsight.Process(os.getpid()) as process:
        answers = process.symbolize([malloc()])
    for _ in range(1000):
        schema, rows = answers.__arrow_c_array__(None)
    assert "arrow_schema" in repr(schema) and "arrow_array" in repr(rows)
