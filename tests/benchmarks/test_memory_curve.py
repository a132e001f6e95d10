"""Images stream: eight times as many take no more memory in training than their rows in the table of records."""

import pytest

from tests.benchmarks.memory_curve import curve

pytestmark = pytest.mark.slow
FEW, MANY = 1000, 8000
STORED_KB = 64 * 64 / 1000  # of an image; four times that as it is read


def test_training_on_eight_times_as_many_images_holds_none_of_them(tmp_path):
    few, many = (curve(records, tmp_path / str(records), "chestxray14-64") for records in (FEW, MANY))
    for stage in few:
        assert many[stage] - few[stage] < (MANY - FEW) * STORED_KB / 1000, stage
