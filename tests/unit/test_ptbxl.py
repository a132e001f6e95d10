"""PTB-XL's reader, held against the published label rules, and its stand-in, read by the same reader."""

import pandas as pd
import pytest

from vitalbench.data.age_bands import age_bands
from vitalbench.data.datasets import ptbxl
from vitalbench.data.synthetic.ptbxl import STATEMENTS
from vitalbench.data.wfdb_record import WATERMARK
from vitalbench.errors import InputError

SUPER = ["NORM", "MI", "STTC", "CD", "HYP"]


@pytest.fixture
def statements():
    return pd.read_csv(STATEMENTS, index_col=0)


@pytest.fixture
def release(small_store):
    return small_store.parent / "release"


def test_the_statement_table_has_the_published_sizes(statements):
    assert len(statements) == 71
    assert int(statements["diagnostic"].sum()) == 44
    assert int(statements["form"].sum()) == 19
    assert int(statements["rhythm"].sum()) == 12
    assert statements["diagnostic_subclass"].nunique() == 23
    assert set(statements["diagnostic_class"].dropna()) == set(SUPER)


def test_label_sets_follow_the_benchmark(statements):
    codes = [["NORM", "LVOLT", "SR"], ["ILMI", "IMI", "LAFB", "AFIB"], ["NDT", "SBRAD"], ["SR"], []]
    found = ptbxl.label_sets(codes, statements)
    assert found["superdiagnostic"] == [["NORM"], ["CD", "MI"], ["STTC"], [], []]
    assert found["subdiagnostic"] == [["NORM"], ["IMI", "LAFB/LPFB"], ["STTC"], [], []]
    assert found["diagnostic"] == [["NORM"], ["ILMI", "IMI", "LAFB"], ["NDT"], [], []]
    assert found["form"] == [["LVOLT"], [], ["NDT"], [], []]
    assert found["rhythm"] == [["SR"], ["AFIB"], ["SBRAD"], ["SR"], []]
    assert found["all"][1] == ["AFIB", "ILMI", "IMI", "LAFB"]


def test_a_statement_counts_whatever_its_likelihood(statements, tmp_path, small_dataset, release):
    table = pd.read_csv(release / "ptbxl_database.csv").head(1)
    table["scp_codes"] = "{'NORM': 0.0, 'SR': 0.0}"
    table.to_csv(tmp_path / "ptbxl_database.csv", index=False)
    statements.to_csv(tmp_path / "scp_statements.csv")
    index = ptbxl.read_index(tmp_path, small_dataset)
    assert index["labels:superdiagnostic"][0] == ["NORM"]


def test_the_tasks_classes_are_the_label_sets_classes(configs, statements):
    codes = [[code] for code in statements.index]
    for name, labels in ptbxl.label_sets(codes, statements).items():
        assert set(configs.task(name).classes) == {label for row in labels for label in row}, name


def test_the_stand_in_is_a_release_with_a_watermark(release, small_dataset):
    index = ptbxl.read_index(release, small_dataset)
    record = ptbxl.read_record(release, index.iloc[0].to_dict(), small_dataset)
    assert record.generated
    assert record.digital.shape == (12, 1000)
    header = (release / index["file"][0]).with_suffix(".hea").read_text()
    assert WATERMARK in header
    assert header.splitlines()[0].split()[1:] == ["12", "100", "1000"]
    assert (release / "STAND-IN.txt").is_file()


def test_the_stand_in_keeps_patients_in_one_fold_and_repeats_some(release, small_dataset):
    index = ptbxl.read_index(release, small_dataset)
    assert (index.groupby("patient_id")["strat_fold"].nunique() == 1).all()
    assert index["patient_id"].duplicated().any()
    sizes = index.drop_duplicates("patient_id")["strat_fold"].value_counts()
    assert sizes.max() - sizes.min() <= 1


def test_the_same_configuration_gives_the_same_bytes(tmp_path, small_dataset):
    few = small_dataset.model_copy(update={"standin": small_dataset.standin.model_copy(update={"patients": 12})})
    for name in ("a", "b"):
        ptbxl.write_standin(tmp_path / name, few)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(files) > 24
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_both_rates_of_the_release(tmp_path, configs):
    dataset = configs.dataset("ptbxl-500")
    few = dataset.model_copy(update={"standin": dataset.standin.model_copy(update={"patients": 3})})
    ptbxl.write_standin(tmp_path, few)
    index = ptbxl.read_index(tmp_path, few)
    assert index["file"][0].startswith("records500/")
    assert ptbxl.read_record(tmp_path, index.iloc[0].to_dict(), few).digital.shape == (12, 5000)


def test_ages_over_89_are_their_own_end_of_the_scale():
    assert age_bands(pd.Series([17.0, 40.0, 60.0, 80.0, 300.0, float("nan")])).tolist() == [
        "under 40", "40 to 59", "60 to 79", "80 and over", "80 and over", "unknown",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="scp_codes"), "column 'scp_codes' is missing"),
        (lambda t: t.assign(scp_codes="not a dictionary"), "scp_codes is not a dictionary"),
        (lambda t: t.assign(scp_codes="{'XYZ': 100.0}"), "statement 'XYZ'"),
        (lambda t: t.assign(patient_id=None), "has no patient_id"),
        (lambda t: t.assign(scp_codes="__import__('os').system('true')"), "scp_codes is not a dictionary"),
    ],
)
def test_a_damaged_index_names_file_and_row(tmp_path, small_dataset, release, change, message):
    change(pd.read_csv(release / "ptbxl_database.csv")).to_csv(tmp_path / "ptbxl_database.csv", index=False)
    (tmp_path / "scp_statements.csv").write_text((release / "scp_statements.csv").read_text())
    with pytest.raises(InputError, match=message) as caught:
        ptbxl.read_index(tmp_path, small_dataset)
    assert "ptbxl_database.csv" in str(caught.value)


def test_a_missing_table_is_named(tmp_path, small_dataset):
    with pytest.raises(InputError, match=r"ptbxl_database\.csv: no such file"):
        ptbxl.read_index(tmp_path, small_dataset)


def test_a_rate_the_release_does_not_have_is_one_line(release, small_dataset, tmp_path):
    other = small_dataset.model_copy(update={"signal": small_dataset.signal.model_copy(update={"rate_hz": 250})})
    with pytest.raises(InputError, match=r"signal\.rate_hz is 250, and PTB-XL has no records of it; allowed: 100, 500"):
        ptbxl.write_standin(tmp_path / "standin", other)
    assert not (tmp_path / "standin").exists()
    with pytest.raises(InputError, match=r"signal\.rate_hz is 250"):
        ptbxl.read_index(release, other)
