"""Verdicts follow from intervals, corrected p-values and margins, and from nothing else."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from vitalbench.evaluate.compare import (
    _times,
    _unlike,
    _Value,
    both_defined,
    holm,
    paired_difference,
    two_sided_p,
    verdict,
)
from vitalbench.evaluate.power import errors
from vitalbench.evaluate.time_ratio import Spent
from vitalbench.report.pick import pick
from vitalbench.report.task_tables import pair_rows
from vitalbench.tables import names


@pytest.mark.parametrize(
    ("difference", "low", "high", "p", "margin", "metric", "expected"),
    [
        (0.05, 0.02, 0.08, 0.01, 0.01, "auroc", "better"),
        (-0.05, -0.08, -0.02, 0.01, 0.01, "auroc", "worse"),
        (-0.05, -0.08, -0.02, 0.01, None, "brier", "better"),
        (0.05, -0.01, 0.11, 0.10, 0.01, "auroc", "no-verdict"),
        (0.05, 0.001, 0.11, 0.06, 0.01, "auroc", "no-verdict"),
        (0.001, -0.004, 0.006, 0.7, 0.01, "auroc", "equivalent"),
        (0.005, 0.002, 0.008, 0.001, 0.01, "auroc", "equivalent"),
        (0.001, -0.004, 0.006, 0.7, None, "f1", "no-verdict"),
        (0.05, None, None, None, 0.01, "auroc", "no-verdict"),
    ],
)
def test_verdicts(difference, low, high, p, margin, metric, expected):
    assert verdict(difference, low, high, p, margin, metric) == expected


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_between_none_and_bonferroni(p_values):
    corrected = holm(p_values)
    for p, c in zip(p_values, corrected, strict=True):
        assert p <= c <= min(1, p * len(p_values)) + 1e-12
    order = np.argsort(p_values)
    assert np.all(np.diff(np.array(corrected)[order]) >= 0)


def test_a_bootstrap_p_is_never_zero_and_one_in_the_middle():
    assert two_sided_p(np.full(999, 0.3)) == pytest.approx(2 / 1000)
    assert two_sided_p(np.concatenate([np.full(500, -1.0), np.full(500, 1.0)])) == 1.0


def test_pairing_removes_what_both_share():
    rng = np.random.default_rng(0)
    shared = rng.normal(0.8, 0.05, (1, 2000))
    a, b = shared + 0.02 + rng.normal(0, 0.002, (1, 2000)), shared
    difference = paired_difference(a, b, rng)
    assert difference.std() < 0.005
    assert two_sided_p(difference) < 0.01


def test_seeds_widen_the_difference():
    rng = np.random.default_rng(0)
    steady = np.tile(rng.normal(0.8, 0.01, (1, 2000)), (3, 1))
    restless = steady + np.array([[-0.05], [0.0], [0.05]])
    assert paired_difference(restless, steady, rng).std() > 3 * paired_difference(steady, steady, rng).std()


def test_what_a_seed_makes_of_both_alike_is_no_difference():
    """Two designs that a seed moves together, one of them by 0.01 more: told apart where the seeds are the same, and only there."""
    rng = np.random.default_rng(0)
    patients = rng.normal(0.8, 0.03, (1, 2000))
    a = patients + np.array([[-0.03], [0.0], [0.04]])
    b = a - 0.01
    paired, apart = paired_difference(a, b, rng, same_seeds=True), paired_difference(a, b, rng)
    assert np.allclose(paired, 0.01)
    assert np.quantile(apart, 0.025) < 0 < np.quantile(apart, 0.975)
    assert errors(a, b, same_seeds=True).both == pytest.approx(0.0, abs=1e-12)
    assert errors(a, b).seeds > 0.01


def test_resamples_without_a_value_are_left_out_of_both_designs():
    """Counted as neither above nor below zero, they would make any difference sure."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.5, 0.1, (2, 1000)), rng.normal(0.5, 0.1, (2, 1000))
    a[:, :900] = np.nan
    b[0, 950:] = np.nan
    one, other = both_defined(a, b)
    assert one.shape == other.shape == (2, 50)
    assert two_sided_p(paired_difference(a, b, rng)) < 0.2 < two_sided_p(paired_difference(one, other, rng))
    assert np.isfinite(errors(one, other).both)


def test_means_over_different_classes_are_not_compared():
    both, one = ({("test", "all", "ppv", name): _Value(0.5, 9, 1, 1) for name in names} for names in ("AB", "A"))
    macro, label = ("test", "all", "ppv", "macro"), ("test", "all", "ppv", "A")
    assert "over different classes: B has a value for one design alone" in _unlike(both, one, macro)
    assert _unlike(both, both, macro) == ""
    assert _unlike(both, one, label) == ""


def row(a: str, b: str, verdict: str) -> dict[str, str]:
    return {"design_a": a, "design_b": b, "verdict": verdict}


def recommend(rows, scores, controls=("chance",), hours=None):
    return pick(rows, scores, list(controls), hours or {}, higher=True, metric="macro AUROC", patients=200)


def test_the_better_design_is_picked():
    found = recommend(
        [row("x", "y", "better"), row("x", "chance", "better"), row("y", "chance", "better")], {"x": 0.9, "y": 0.8}
    )
    assert found.design == "x"
    assert found.sentence.startswith("Pick x: ")
    assert "better than y" in found.sentence


def test_where_there_is_no_control_none_is_said_to_be_beaten():
    assert recommend([], {"x": 0.9}, ()).sentence.endswith(
        "the only design measured, and no control was measured beside it."
    )
    found = recommend([row("x", "y", "better")], {"x": 0.9, "y": 0.8}, ())
    assert found.sentence.endswith("better than y; no control was measured beside it.")


def test_of_two_equivalent_designs_the_cheaper_is_picked():
    rows = [row("x", "y", "equivalent"), row("x", "chance", "better")]
    found = recommend(rows, {"x": 0.9, "y": 0.899}, hours={"x": 4.0, "y": 1.0})
    assert found.design == "y"
    assert "4.0 times faster" in found.sentence


def test_designs_that_are_not_separated_are_named():
    found = recommend([row("y", "x", "no-verdict"), row("x", "chance", "better")], {"x": 0.9, "y": 0.8})
    assert "not separated from y on 200 test patients" in found.sentence


def test_nothing_is_picked_that_does_not_beat_chance():
    found = recommend([row("x", "chance", "no-verdict")], {"x": 0.6})
    assert found.design is None
    assert "chance" in found.sentence


def test_a_pair_without_a_ratio_of_times_says_why():
    job = Spent(1.0, 1.0, 0.01, 0.001, 22)
    assert _times(job, Spent(2.0, 1.0, 0.01, 0.001, 22)) == {
        "time_ratio": 0.5,
        "cost_ratio": 1.0,
        "time_floor": pytest.approx(0.0142, abs=1e-4),
        "time_verdict": "faster",
        "time_reason": "",
    }
    assert _times(job, None) == {"time_reason": "no training time of design_b in cost.csv"}
    assert _times(None, None) == {"time_reason": "no training time of design_a and design_b in cost.csv"}
    disturbed = _times(job, Spent(2.0, 1.0, 0.01, 0.001, 22, no_ratio="train_step was disturbed"))
    assert (disturbed["time_ratio"], disturbed["time_verdict"]) == (None, "no-verdict")
    assert disturbed["time_reason"] == "design_b: train_step was disturbed"


@pytest.mark.parametrize(
    ("ratio", "verdict", "reason", "shown"),
    [
        ("0.815", "faster", "", "0.81 (faster)"),
        ("0.815", "no-verdict", "threads lay <apart>", "0.81 no-verdict: threads lay <apart>"),
        ("", "no-verdict", "design_b: train_step was disturbed", "no-verdict: design_b: train_step was disturbed"),
        ("", "", "no training time of design_b in cost.csv", ""),
    ],
)
def test_the_page_says_of_a_ratio_of_times_what_it_is_worth(ratio, verdict, reason, shown):
    pair = dict.fromkeys(names("comparison"), "") | {
        "difference": "0.1",
        "verdict": "better",
        "time_ratio": ratio,
        "time_verdict": verdict,
        "time_reason": reason,
    }
    (row,) = pair_rows(SimpleNamespace(primary_pairs=[pair]))
    assert Markup(row[-2]).striptags() == shown
    assert "<apart>" not in row[-2]
