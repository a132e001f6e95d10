"""The synthetic set: records of their own row alone, parameters that are those of the samples, a ceiling that is known."""

import numpy as np
import pandas as pd
import pytest
from scipy.signal import find_peaks
from sklearn.metrics import roc_auc_score

from tests.conftest import build
from vitalbench.config.dataset import Subset
from vitalbench.data.datasets import challenge, synthetic
from vitalbench.data.release import acquire, index_digests
from vitalbench.data.snomed import label_sets
from vitalbench.data.store import Store
from vitalbench.data.synthetic.ecg_statements import AXES, attainable_auroc, factors
from vitalbench.data.synthetic.parameters import COLUMNS, beat_times, signal_of, tables
from vitalbench.errors import InputError
from vitalbench.files import read_json


@pytest.fixture(scope="module")
def dataset(configs):
    whole = configs.dataset("synthetic-ecg")
    return whole.model_copy(update={"standin": whole.standin.model_copy(update={"patients": 240}), "parts": 2})


@pytest.fixture(scope="module")
def store(dataset, tmp_path_factory):
    return build("synthetic-ecg", dataset, "generated", None, tmp_path_factory.mktemp("synthetic"))


@pytest.fixture(scope="module")
def records(store):
    return pd.read_parquet(store.with_name("records.parquet"))


def truth(row) -> np.ndarray:
    return row[[f"truth:{axis}" for axis in AXES]].to_numpy(dtype=float)


def number(row) -> int:
    return int(row["record_id"].rpartition("/")[2])


def test_the_set_has_twenty_thousand_records(configs):
    assert configs.dataset("synthetic-ecg").standin.patients >= 20_000


@pytest.mark.parametrize(
    ("changed", "complete"),
    [
        ({}, True),
        ({"subset": Subset(patients=30)}, False),
        ({"standin": {"whole": False}}, False),
        ({"expected": 50}, False),
    ],
)
def test_all_of_it_is_the_whole_data_set_since_it_stands_in_for_none(dataset, tmp_path, changed, complete):
    about = dataset.model_copy(
        update={
            "subset": changed.get("subset"),
            "standin": dataset.standin.model_copy(update={"patients": 40} | changed.get("standin", {})),
            "expected": dataset.expected.model_copy(update={"records": changed.get("expected", 40)}),
        }
    )
    acquire("synthetic-ecg", about, "generated", None, tmp_path / "release.json")
    assert read_json(tmp_path / "release.json")["complete"] is complete


def test_every_parameter_is_a_column_of_the_store(records):
    assert set(COLUMNS) <= set(records.columns)
    assert records[[name for name in COLUMNS if name != "pr_ms"]].notna().to_numpy().all()
    assert records["heart_rate_bpm"].between(30, 215).all()
    assert records["noise_mv"].between(0.01, 0.09).all()
    assert set(records["group:noise"]) == {"low", "middle", "high"}


def test_a_part_makes_its_records_without_the_others(dataset, store, records, tmp_path):
    other = dataset.model_copy(update={"parts": 3})
    again = build("synthetic-ecg", other, "generated", None, tmp_path / "three")
    assert (
        read_json(again.with_name("manifest.json"))["content"] == read_json(store.with_name("manifest.json"))["content"]
    )
    some = dataset.model_copy(update={"subset": Subset(patients=12)})
    few = build("synthetic-ecg", some, "generated", None, tmp_path / "few")
    chosen = pd.read_parquet(few.with_name("records.parquet"))
    assert len(chosen) == 12
    digest = records.set_index("record_id")["digest"]
    assert (digest[chosen["record_id"]].to_numpy() == chosen["digest"].to_numpy()).all()


def test_no_sample_is_on_the_disk_but_in_the_store(store):
    assert sorted(path.name for path in (store.parent / "release").iterdir()) == ["STAND-IN.txt", "parameters.csv"]


def test_the_beats_are_those_of_the_samples(dataset, records):
    regular = (records["truth:irregular"] < 0) & (records["ectopic_beats"] == 0) & (records["truth:premature"] < 0.3)
    narrow = (records[[f"truth:{axis}" for axis in ("left_bundle", "right_bundle", "notch", "pacing")]] < 0.3).all(
        axis=1
    )
    calm = records[regular & narrow & records["heart_rate_bpm"].between(55, 100)]
    assert len(calm) >= 6
    for _, row in calm.head(10).iterrows():
        clean = signal_of(truth(row), 0.0, dataset.standin.seed, number(row), rate_hz=100, seconds=10.0)
        steep = np.sqrt((np.gradient(clean[[0, 1, *range(6, 12)]].astype(float), axis=1) ** 2).sum(axis=0))
        times, ectopic = beat_times(truth(row), dataset.standin.seed, number(row), 10.0)
        assert len(times) == row["beats"]
        assert not ectopic.any()
        peaks = find_peaks(steep, height=0.4 * steep.max(), distance=25)[0] / 100
        inside = times[(times > 0.1) & (times < 9.9)]
        assert np.abs(inside[:, None] - peaks).min(axis=1).max() < 0.06
        assert row["rr_ms"] == pytest.approx(1000 * np.diff(times).mean(), abs=0.1)
        assert 60_000 / row["rr_ms"] == pytest.approx(row["heart_rate_bpm"], rel=0.05)


def test_the_noise_is_what_the_column_says(dataset, records):
    for _, row in records.head(15).iterrows():
        noisy, clean = (
            signal_of(truth(row), level, dataset.standin.seed, number(row), rate_hz=500, seconds=10.0).astype(float)
            for level in (row["noise_mv"], 0.0)
        )
        white = np.diff((noisy - clean)[[0, 1, *range(6, 12)]] / 1000, n=4, axis=1).std() / np.sqrt(70)
        assert white == pytest.approx(row["noise_mv"], rel=0.08)


def test_a_parameter_follows_what_it_is_named_after(records):
    def follows(column, axis, sign):
        assert sign * records[column].corr(records[f"truth:{axis}"], method="spearman") > 0.25

    for column, axis, sign in (
        ("heart_rate_bpm", "rate", 1), ("pr_ms", "pr", 1), ("axis_deg", "left_axis", -1), ("axis_deg", "right_axis", 1),
        ("r_mv", "voltage", 1), ("t_mv", "t_low", -1), ("qt_ms", "qt", 1),
    ):  # fmt: skip
        follows(column, axis, sign)


def test_an_atrium_that_does_not_beat_has_no_pr_interval_and_every_other_has(records):
    without = np.array([not {"AF", "AFL"}.isdisjoint(found) for found in records["labels:findings"]])
    assert 0 < without.sum() < len(records)
    assert records.loc[without, "pr_ms"].isna().all()
    assert records.loc[~without, "pr_ms"].notna().all()


@pytest.mark.slow
def test_what_the_documentation_says_of_findings_beside_parameters_is_so(dataset):
    """docs/DATA.md, of 1,500 records."""
    few = dataset.standin.model_copy(update={"patients": 1500})
    table = pd.concat(tables(few, dataset.signal.seconds), ignore_index=True)
    findings = label_sets([codes.split() for codes in table["codes"]])["findings"]
    ventricular, atrial, block = (
        np.array([not of.isdisjoint(found) for found in findings])
        for of in ({"PVC"}, {"PAC"}, {"LBBB", "RBBB", "IRBBB", "NSIVCB", "WPW", "PR"})
    )
    neither = ~ventricular & ~atrial
    some = table["ectopic_beats"] > 0
    assert ((ventricular & ~some).sum(), ventricular.sum(), (neither & some).sum(), neither.sum()) == (
        58,
        210,
        159,
        1174,
    )
    left = np.array(["LBBB" in found for found in findings])
    assert [round(table["qrs_ms"][of].median()) for of in (left, ~block)] == [98, 101]
    assert ((table["axis_deg"] < -30).sum(), (table["axis_deg"] > 90).sum()) == (25, 50)
    assert not any({"LAD", "RAD"} & set(found) for found in findings)


def test_the_store_holds_the_record_of_its_row(dataset, store, records):
    row = records.iloc[7]
    made = signal_of(truth(row), row["noise_mv"], dataset.standin.seed, number(row), rate_hz=100, seconds=10.0)
    assert np.allclose(Store(store).read(np.array([row["row"]]))[0], made / 1000, atol=1e-6)


def test_what_is_rare_is_less_so():
    plain, even = (factors(evenness)[0].probability for evenness in (0.0, 0.5))
    assert even.min() > 3 * plain.min()
    assert even.sum() == pytest.approx(1)


def test_the_ceiling_is_known_whatever_the_evenness(dataset, configs, tmp_path):
    standin = dataset.standin.model_copy(update={"patients": 400})
    synthetic.write_standin(tmp_path, dataset.model_copy(update={"standin": standin}))
    index = synthetic.read_index(tmp_path, dataset)
    classes = ["AF", "NSR", "LAnFB"]
    scores = synthetic.ideal_scores(index, "scored", classes, standin)
    ceiling = attainable_auroc(standin.separation, challenge._membership("scored", classes), 800, 0, standin.evenness)
    for at, name in enumerate(classes):
        carried = index["labels:scored"].map(lambda names, name=name: name in names)
        assert carried.sum() > 20, name
        assert roc_auc_score(carried, scores[:, at]) == pytest.approx(ceiling[at], abs=0.07)
        assert scores[:, at].mean() == pytest.approx(carried.mean(), abs=0.03)


def test_the_same_configuration_gives_the_same_table_and_another_seed_another(dataset, tmp_path):
    found = []
    for name, seed in (("a", 51), ("b", 51), ("c", 52)):
        small = dataset.standin.model_copy(update={"patients": 9, "seed": seed})
        synthetic.write_standin(tmp_path / name, dataset.model_copy(update={"standin": small}))
        found.append(index_digests(tmp_path / name, dataset))
    assert found[0] == found[1] != found[2]


def test_a_table_that_was_not_generated_is_refused(dataset, tmp_path):
    small = dataset.model_copy(update={"standin": dataset.standin.model_copy(update={"patients": 5})})
    synthetic.write_standin(tmp_path, small)
    file = tmp_path / "parameters.csv"
    file.write_text(file.read_text().replace("generated", "recorded", 1))
    with pytest.raises(InputError, match="not marked as generated"):
        synthetic.read_index(tmp_path, small)
