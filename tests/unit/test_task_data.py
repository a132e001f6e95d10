"""What the page says of a task: sizes are of the whole split, though a class may leave records unlabelled."""

from types import SimpleNamespace

from vitalbench.report.task_data import TaskData


def test_the_size_of_a_split_is_that_of_its_fullest_row():
    sizes = [("test", "all", 90, 60), ("test", "all", 100, 70), ("test", "all", 40, 30), ("test", "sex=f", 20, 15)]
    rows = [dict(zip(("split", "subgroup", "n_records", "n_patients"), size, strict=True)) for size in sizes]
    data = SimpleNamespace(rows_by_fold=[rows])
    assert TaskData.sizes.func(data) == {("test", "all"): (100, 70), ("test", "sex=f"): (20, 15)}


def test_folds_have_patients_of_their_own_that_are_added():
    def fold(records: int, patients: int) -> list[dict]:
        return [{"split": "test", "subgroup": "all", "n_records": records, "n_patients": patients}]

    data = SimpleNamespace(rows_by_fold=[fold(90, 60), fold(50, 40)])
    assert TaskData.sizes.func(data) == {("test", "all"): (140, 100)}
