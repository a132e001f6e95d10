"""The contract of the tables: names and order of columns, and a schema that explains each."""

import csv

import pytest

from vitalbench import tables
from vitalbench.errors import InputError
from vitalbench.files import read_json

# As outside scripts read them: columns may be appended, never renamed or moved.
CONTRACT = {
    "matrix": "dataset task design target seed fold status reason data_source sources run_id",
    "metrics": """dataset task design target seed fold run_id split subgroup metric label value ci_low ci_high n_records
        n_patients n_labels reason""",
    "summary": "dataset task design target split subgroup metric label mean sd_seeds n_seeds ci_low ci_high",
    "timing": """dataset task design target seed fold run_id device_name threads world_size phase batch_size precision
        median_s iqr_s p50_s p95_s p99_s repeats per_second unit peak_memory_mb flops bytes exclusive disturbed""",
    "cost": """dataset task design target seed fold run_id phase provider sku region purchase gpus usd_per_hour price_date
        price_source hours usd energy_kwh basis usd_low usd_high""",
    "comparison": """dataset task target split subgroup design_a design_b metric label difference ci_low ci_high p_value
        p_corrected margin n_patients n_seeds time_ratio cost_ratio verdict""",
    "leakage": "dataset task split fold check found allowed severity verdict",
    "claims": """claim source location method reported unit measured interval_low interval_high tolerance verdict evidence
        reason""",
}


@pytest.mark.parametrize("name", CONTRACT)
def test_the_contracts_columns_come_first_and_in_order(name):
    wanted = CONTRACT[name].split()
    assert tables.names(name)[: len(wanted)] == wanted


def test_the_schema_explains_every_column(tmp_path):
    tables.write_schema(tmp_path / "schema.json")
    schema = read_json(tmp_path / "schema.json")
    assert schema["version"] >= 1
    for name, table in schema["tables"].items():
        assert [column["name"] for column in table["columns"]] == tables.names(name)
        assert all(column["meaning"] for column in table["columns"])


def test_empty_means_not_applicable_and_numbers_survive(tmp_path):
    path = tmp_path / "leakage.csv"
    rows = [{"dataset": "a,b", "found": 3, "allowed": None, "verdict": True}, {"dataset": "c", "found": 1 / 3}]
    tables.write_table("leakage", rows, path)
    first, second = tables.read_table("leakage", path)
    assert first["dataset"] == "a,b"
    assert first["allowed"] == ""
    assert first["verdict"] == "true"
    assert tables.number(second["found"]) == pytest.approx(1 / 3, abs=1e-12)
    assert next(csv.reader(path.open())) == tables.names("leakage")


def test_a_word_where_a_number_belongs_is_refused():
    with pytest.raises(InputError, match="a table holds 'ptbxl' where a number belongs"):
        tables.number("ptbxl")


def test_a_column_that_is_not_declared_is_a_defect(tmp_path):
    with pytest.raises(KeyError, match="no column nonsense"):
        tables.write_table("leakage", [{"nonsense": 1}], tmp_path / "x.csv")
