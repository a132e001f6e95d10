"""Annotations that cannot be believed: cut off, not there, of a longer recording."""

import re

import numpy as np
import pytest
import wfdb

from vitalbench.data.annotations import Facts, read_annotations
from vitalbench.data.datasets import UnreadableRecord

FACTS = Facts(100.0, 6000, ["I"], [])


@pytest.fixture
def written(tmp_path):
    """Beats from 0.5 s to the last sample of a minute."""

    def write(*more: int):
        samples = np.array([50, 2000, 6000, *more])
        wfdb.wrann("x", "atr", samples, ["N"] * len(samples), write_dir=str(tmp_path))
        return tmp_path / "x"

    return write


def test_annotations_to_the_end_and_a_little_behind_it_are_read(written):
    assert read_annotations(written(6100), "atr", FACTS).sample.tolist() == [50, 2000, 6000, 6100]


def test_annotations_of_a_longer_recording_are_those_of_another(written):
    with pytest.raises(UnreadableRecord, match=r"x\.atr: annotates 90\.0 s of a recording of 60\.0 s") as told:
        read_annotations(written(9000), "atr", FACTS)
    assert told.value.check == "bad-file"


def test_a_header_that_does_not_say_how_long_it_is_settles_nothing(written):
    assert len(read_annotations(written(9000), "atr", Facts(100.0, 0, [], [])).sample) == 4


@pytest.mark.parametrize("left", [0, 1, 2, 3, 4, 5])
def test_a_file_that_breaks_off_is_told_wherever_it_does(written, left):
    """Between two annotations, too, where the library reads the rest as if it were all."""
    path = written()
    file = path.with_suffix(".atr")
    whole = file.read_bytes()
    assert whole[-2:] == b"\x00\x00"
    file.write_bytes(whole[:left])
    with pytest.raises(UnreadableRecord, match=re.escape("x.atr: breaks off")):
        read_annotations(path, "atr", FACTS)


def test_annotations_that_are_not_there_are_told(written):
    path = written()
    path.with_suffix(".atr").unlink()
    with pytest.raises(UnreadableRecord, match=re.escape("x.atr is not there")):
        read_annotations(path, "atr", FACTS)
