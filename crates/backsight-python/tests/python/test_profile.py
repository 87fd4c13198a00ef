"""Profiles are read and written."""

import gzip

import backsight
import pytest


@pytest.fixture
def folded(tmp_path):
    path = tmp_path / "in.folded"
    path.write_text("main;work 3\nmain;other 4\n")
    return path


def test_a_profile_is_read_and_written(folded, tmp_path):
    out = tmp_path / "out.pb.gz"
    with backsight.Profile.read(folded) as profile:
        assert profile.symbolize().write(out) is profile
        assert (profile.format, profile.samples) == ("folded", 2)
        assert (profile.malformed, profile.lost, profile.unnamed) == (0, 0, 0)
        assert profile.stacks >= 2 and profile.locations == 3
        assert repr(profile) == "<backsight.Profile folded: 2 samples>"
        profile.write(tmp_path / "raw", format="pprof-raw")
    assert gzip.decompress(out.read_bytes()) == (tmp_path / "raw").read_bytes()
    again = backsight.Profile.read(out)
    assert again.format == "pprof"
    again.write(tmp_path / "again.folded")
    lines = (tmp_path / "again.folded").read_text().splitlines()
    assert sorted(line.split(";", 1)[-1] for line in lines) == ["main;other 4", "main;work 3"] or (
        sorted(lines) == ["main;other 4", "main;work 3"]
    )


def test_what_is_malformed_is_noted(tmp_path):
    path = tmp_path / "in.folded"
    path.write_text("main;work 3\nno number\n")
    profile = backsight.Profile.read(path)
    assert profile.samples == 1 and profile.malformed == 1
    assert len(profile.notes) == 1


def test_outputs_that_cannot_be(folded, tmp_path):
    profile = backsight.Profile.read(folded)
    with pytest.raises(backsight.UnknownFormat, match="end it in"):
        profile.write(tmp_path / "x")
    with pytest.raises(backsight.UnknownFormat, match="perf is not written"):
        profile.write(tmp_path / "x", format="perf")
    with pytest.raises(backsight.NoSuchFile):
        profile.write(tmp_path / "missing" / "x.pb.gz")
    with pytest.raises(backsight.BadArgument, match="recording of perf"):
        backsight.Profile.read(folded, event="cycles")
    with pytest.raises(backsight.BadArgument, match="jit_maps"):
        backsight.Profile.read(folded, jit_maps="some")
    # Nothing is left of what was begun.
    assert [it.name for it in tmp_path.iterdir()] == ["in.folded"]


def test_times_that_were_summed_are_not_written(tmp_path):
    path = tmp_path / "in.script"
    path.write_text("prog 1 1.000000: 1 cycles: \n\t10 main (/bin/x)\n\n")
    summed = backsight.Profile.read(path, format="perf-script")
    with pytest.raises(backsight.BadOptions, match="times=True"):
        summed.write(tmp_path / "out.ndjson")
    backsight.Profile.read(path, format="perf-script", times=True).write(tmp_path / "out.ndjson")
    assert (tmp_path / "out.ndjson").exists()
