"""What is recorded beside a time: energy by real counters or none, clock rates, throttling."""

import pytest

from vitalbench.measure.clock import nothing_to_wait_for
from vitalbench.measure.conditions import Watched, core_mhz, throttle_count
from vitalbench.measure.device import cpu_name
from vitalbench.measure.energy import Rapl, energy
from vitalbench.measure.load import ForeignLoad


@pytest.fixture
def packages(tmp_path):
    """Two packages as Linux shows them, a part of the first, which is in its sum, and the platform, in whose sum both are."""
    zones = {"0": ("package-0", 1_000_000), "0:0": ("core", 500_000), "1": ("package-1", 9_000_000), "2": ("psys", 1)}
    for number, (name, joules) in zones.items():
        zone = tmp_path / f"intel-rapl:{number}"
        zone.mkdir()
        (zone / "name").write_text(f"{name}\n")
        (zone / "energy_uj").write_text(f"{joules}\n")
        (zone / "max_energy_range_uj").write_text("10000000\n")
    return tmp_path


def test_packages_are_added_up_and_their_parts_are_not_counted_twice(packages):
    rapl = Rapl(packages)
    start = rapl.read()
    assert start == [1_000_000, 9_000_000]
    (packages / "intel-rapl:0/energy_uj").write_text("4000000\n")
    assert rapl.since(start) == 3.0


def test_a_counter_that_wrapped_around_has_counted_on(packages):
    rapl = Rapl(packages)
    start = rapl.read()
    (packages / "intel-rapl:1/energy_uj").write_text("1000000\n")
    assert rapl.since(start) == 2.0


def test_without_a_counter_there_is_no_energy_and_the_method_says_so(configs, tmp_path, monkeypatch):
    assert Rapl(tmp_path).read() is None
    monkeypatch.setattr("vitalbench.measure.energy._POWERCAP", tmp_path)
    calls = []
    found = energy(lambda: calls.append(1), configs.target("h100"), nothing_to_wait_for)
    assert found == (None, "not-run: no energy counter (NVML)")
    assert calls == []


def test_the_clock_rate_is_the_median_cores(tmp_path):
    (tmp_path / "cpuinfo").write_text("cpu MHz\t\t: 2000.0\n\ncpu MHz\t\t: 3000.0\n\ncpu MHz\t\t: 2500.5\n")
    assert core_mhz(tmp_path / "cpuinfo") == 2500.5
    assert core_mhz(tmp_path / "none") is None


def test_throttling_is_counted_over_all_cores_and_unknown_where_nobody_counts(tmp_path):
    assert throttle_count(tmp_path) is None
    for core, times in (("cpu0", 2), ("cpu1", 5)):
        folder = tmp_path / core / "thermal_throttle"
        folder.mkdir(parents=True)
        (folder / "core_throttle_count").write_text(f"{times}\n")
    assert throttle_count(tmp_path) == 7


def test_foreign_load_is_much_beyond_a_twentieth_and_unknown_where_it_is_not_seen(configs):
    assert ForeignLoad.is_much(None) is None
    assert (ForeignLoad.is_much(0.04), ForeignLoad.is_much(0.06)) == (False, True)
    seen = Watched(configs.target("cpu")).conditions()
    assert seen.foreign_load is None or 0 <= seen.foreign_load <= 1


@pytest.mark.parametrize(
    ("brand", "name"),
    [("AMD EPYC", "AMD EPYC (family 25, model 1)"), ("AMD EPYC 7B13 64-Core", "AMD EPYC 7B13 64-Core")],
)
def test_generations_of_processors_of_one_name_are_told_apart(tmp_path, brand, name):
    core = "vendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: {}\nmodel name\t: {}\nstepping\t: 1\n"
    path = tmp_path / "cpuinfo"
    path.write_text("\n".join(core.format(model, brand) for model in (1, 2)))
    assert cpu_name(path) == name
    assert cpu_name(tmp_path / "none")  # the platform's word, where the system tells nothing
