"""Records of other rates, lengths and leads: what they become, and that nothing is made of what was not recorded."""

import numpy as np
import pytest

from vitalbench.config.dataset import Harmonise, Signal
from vitalbench.data.datasets import Record, UnreadableRecord
from vitalbench.data.harmonise import to_shape
from vitalbench.data.wfdb_record import read_wfdb, write_wfdb

SIGNAL = Signal(leads=["II", "V1"], rate_hz=100, seconds=2.0)


def tone(hz: float, rate: int, seconds: float) -> np.ndarray:
    time = np.arange(round(rate * seconds)) / rate
    return np.sin(2 * np.pi * hz * time)


def stored(path, signals: list[np.ndarray], leads: tuple[str, ...], rate: int) -> None:
    write_wfdb(path, np.rint(np.stack(signals) * 1000).astype(np.int16), leads, rate, 1000)


def physical(record: Record) -> np.ndarray:
    return (record.digital - record.baseline[:, None]) / record.gain[:, None]


@pytest.mark.parametrize("rate", [50, 250, 257, 360, 500, 1000])
def test_a_tone_keeps_its_frequency_amplitude_and_phase(tmp_path, rate):
    stored(tmp_path / "r", [tone(5, rate, 3), 2 * tone(7, rate, 3)], ("II", "V1"), rate)
    found = physical(read_wfdb(tmp_path / "r", SIGNAL, harmonise=Harmonise(rates_hz=[rate])))
    assert found.shape == (2, 200)
    middle = slice(20, 180)  # the filter's reach at either end
    assert np.abs(found[0] - tone(5, 100, 2))[middle].max() < 0.01
    assert np.abs(found[1] - 2 * tone(7, 100, 2))[middle].max() < 0.03


def test_what_lies_above_half_the_new_rate_is_gone_and_not_folded_down(tmp_path):
    stored(tmp_path / "r", [tone(70, 500, 2), tone(90, 500, 2)], ("II", "V1"), 500)
    found = physical(read_wfdb(tmp_path / "r", SIGNAL, harmonise=Harmonise(rates_hz=[500])))
    assert np.abs(found[:, 20:180]).max() < 0.05


def test_a_record_of_the_right_shape_is_stored_as_the_releases_own_integers(tmp_path):
    stored(tmp_path / "r", [tone(5, 100, 2), tone(6, 100, 2)], ("II", "V1"), 100)
    plain, harmonised = (read_wfdb(tmp_path / "r", SIGNAL, harmonise=how) for how in (None, Harmonise(rates_hz=[500])))
    assert np.array_equal(plain.digital, harmonised.digital)
    assert harmonised.recorded is None


def test_a_longer_record_is_cut_to_its_first_seconds(tmp_path):
    signals = [tone(5, 100, 4), tone(6, 100, 4)]
    stored(tmp_path / "r", signals, ("II", "V1"), 100)
    found = read_wfdb(tmp_path / "r", SIGNAL, harmonise=Harmonise())
    assert np.array_equal(found.digital, np.rint(np.stack(signals) * 1000).astype(np.int16)[:, :200])


def test_a_shorter_record_is_filled_up_and_says_so(tmp_path):
    stored(tmp_path / "r", [tone(5, 100, 1.5) + 1, tone(6, 100, 1.5)], ("II", "V1"), 100)
    found = read_wfdb(tmp_path / "r", SIGNAL, harmonise=Harmonise(shortest_seconds=1.5))
    assert found.recorded == 150
    assert not physical(found)[:, 150:].any()
    with pytest.raises(UnreadableRecord) as caught:
        read_wfdb(tmp_path / "r", SIGNAL, harmonise=Harmonise(shortest_seconds=1.6))
    assert caught.value.check == "wrong-length"


def test_other_leads_are_left_out_where_they_may_be_there(tmp_path):
    stored(tmp_path / "r", [tone(5, 100, 2), tone(6, 100, 2), tone(7, 100, 2)], ("V1", "III", "II"), 100)
    found = physical(read_wfdb(tmp_path / "r", SIGNAL, harmonise=Harmonise(more_leads=True)))
    assert np.abs(found[0] - tone(7, 100, 2)).max() < 0.001
    with pytest.raises(UnreadableRecord, match="leads V1 III II"):
        read_wfdb(tmp_path / "r", SIGNAL, harmonise=Harmonise())


def test_a_rate_that_is_not_declared_is_refused(tmp_path):
    stored(tmp_path / "r", [tone(5, 250, 2), tone(6, 250, 2)], ("II", "V1"), 250)
    with pytest.raises(UnreadableRecord, match="250 Hz, not 100 or 500"):
        read_wfdb(tmp_path / "r", SIGNAL, harmonise=Harmonise(rates_hz=[500]))


def test_nothing_is_made_of_a_sample_that_was_not_recorded():
    digital = np.zeros((1, 1000), dtype=np.int16)
    digital[0, 500] = -32768
    with pytest.raises(UnreadableRecord) as caught:
        to_shape(Record(digital, np.ones(1, np.float32), np.zeros(1, np.float32)), 500.0, SIGNAL)
    assert caught.value.check == "invalid-sample"


def test_a_lead_too_large_for_a_microvolt_keeps_its_size():
    digital = np.rint(tone(1, 500, 2) * 30_000).astype(np.int16)[None]
    found = to_shape(Record(digital, np.full(1, 500, np.float32), np.zeros(1, np.float32)), 500.0, SIGNAL)
    assert np.abs(physical(found)).max() == pytest.approx(60, abs=0.5)
