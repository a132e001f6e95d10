"""A verdict follows from the numbers: ranges as ranges, projections as projections, what others state as no more than that."""

import shutil

import pytest

from tests.conftest import ROOT
from vitalbench import cli
from vitalbench.claims.facts import Facts
from vitalbench.claims.ledger import claim_rows, judge
from vitalbench.claims.markdown import found_of, reported_of
from vitalbench.claims.sources import declared_facts
from vitalbench.config.claims_file import Claim, Document, Stated
from vitalbench.config.folder import ConfigFolder
from vitalbench.errors import InputError


def claim(**more) -> Claim:
    given = {"id": "c", "location": "l", "text": "t", "reported": 10.0, "unit": "h", "method": "arithmetic"}
    return Claim(**(given | more))


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        ((10.0, 14.0), "reproduced"),
        ((12.0, 12.5), "reproduced"),
        ((9.6, 14.4), "reproduced"),
        ((13.0, 19.0), "untestable"),
        ((8.0, 16.0), "untestable"),
        ((15.0, 19.0), "refuted"),
        ((1.0, 9.0), "refuted"),
    ],
)
def test_what_was_measured_lies_within_a_reported_range_or_not(interval, verdict):
    facts = Facts({"measured.x": sum(interval) / 2}, {"measured.x": interval})
    row = judge(claim(check="measured.x", reported_to=14.0, tolerance=0.5, method="measured"), facts)
    assert row["verdict"] == verdict


@pytest.mark.parametrize(
    ("first", "last", "verdict"),
    [("10", "14", "reproduced"), ("10.4", "13.6", "reproduced"), ("13.5", "14", "refuted"), ("10", "19.5", "refuted")],
)
def test_a_range_that_was_found_is_held_against_a_reported_one_end_by_end(first, last, verdict):
    row = judge(claim(check=first, check_to=last, reported_to=14.0, tolerance=0.5), Facts())
    assert row["verdict"] == verdict
    assert (row["measured"], row["found_to"]) == (float(first), float(last))


@pytest.mark.parametrize(
    ("relation", "verdict"), [("equals", "refuted"), ("at-most", "refuted"), ("at-least", "reproduced")]
)
def test_a_range_that_was_found_is_held_against_a_number_as_a_whole(relation, verdict):
    row = judge(claim(check="13.5", check_to="19.5", relation=relation), Facts())
    assert row["verdict"] == verdict
    assert (row["interval_low"], row["interval_high"]) == (13.5, 19.5)


@pytest.mark.parametrize(
    ("interval", "verdict"), [((9.0, 11.0), "projected"), ((9.0, 13.0), "untestable"), ((12.0, 13.0), "refuted")]
)
def test_a_projection_is_judged_by_its_whole_interval_and_stays_one(interval, verdict):
    facts = Facts({"projected.x": sum(interval) / 2}, {"projected.x": interval})
    row = judge(claim(check="projected.x", tolerance=1.0, method="projection"), facts)
    assert (row["verdict"], row["projected"]) == (verdict, sum(interval) / 2)
    assert "measured" not in row
    assert found_of(row).endswith("] projected")


def test_an_interval_is_widened_to_the_number_it_is_of():
    """Of rare classes, resamples can lie below the number as a whole."""
    facts = Facts({"measured.x": 10.0}, {"measured.x": (7.0, 9.0)})
    row = judge(claim(check="measured.x", method="measured", tolerance=1.0), facts)
    assert (row["interval_low"], row["interval_high"], row["verdict"]) == (7.0, 10.0, "untestable")


def test_sums_of_decimals_are_what_they_say():
    assert judge(claim(check="0.1 + 0.2", reported=0.3), Facts())["verdict"] == "reproduced"
    assert judge(claim(check="0.1 + 0.2001", reported=0.3), Facts())["verdict"] == "refuted"


def test_every_arithmetic_row_has_its_interval():
    for check in ("5 * 2", "declared.x"):
        row = judge(claim(check=check), Facts({"declared.x": 10.0}))
        assert row["interval_low"] == row["interval_high"] == 10.0


def test_what_others_state_is_shown_with_its_source_and_refutes_or_decides_nothing():
    told = Stated(value=12.0, low=11.0, high=13.0, unit="h", source="somebody")
    document = Document(source="s", stated={"x": told}, claims=[claim(check="stated.x", tolerance=0.5)])
    row = next(claim_rows({"d": document}, Facts()))
    assert (row["verdict"], row["published"], row["interval_low"], row["interval_high"]) == ("refuted", 12, 11, 13)
    assert row["evidence"] == "stated.x with stated.x = 12 [11, 13] (somebody)"
    within = judge(claim(check="stated.x", tolerance=5.0), Facts().beside({"x": told}))
    assert within["verdict"] == "not-run"
    part = judge(claim(check="stated.x", tolerance=1.5), Facts().beside({"x": told}))
    assert (part["verdict"], part["reason"]) == ("untestable", "undecided: 11 to 13 reaches over the tolerance")


def test_a_price_is_of_the_newest_file_that_has_it_and_says_of_when(tmp_path):
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    prices = tmp_path / "configs/prices"
    lines = (prices / "2026-09-06.csv").read_text().splitlines()
    newer = next(line for line in lines if line.startswith("aws-m5.large"))
    newer = newer.replace(",0.096,2026-09-06,", ",0.2,2027-01-01,")
    (prices / "2027-01-01.csv").write_text(f"{lines[0]}\n{newer}\n")
    facts = declared_facts(ConfigFolder(tmp_path / "configs"))
    row = judge(claim(check="price['aws-m5.large'] + price['aws-p4d.24xlarge']"), facts)
    assert row["published"] == pytest.approx(0.2 + 21.957642)
    assert "0.2 (USD/h on 2027-01-01, " in row["evidence"]
    assert "21.957642 (USD/h on 2026-09-06, " in row["evidence"]


def test_numbers_that_leave_an_expression_without_a_result_are_no_verdict():
    row = judge(claim(check="1 / measured.x", method="measured"), Facts({"measured.x": 0.0}))
    assert (row["verdict"], row["reason"]) == ("untestable", "'1 / measured.x': division by zero")


def test_a_folder_is_no_document(tmp_path):
    with pytest.raises(InputError, match="is a folder; name a file"):
        cli.run(["claims", "--configs", str(ROOT / "configs"), "--markdown", str(tmp_path)])
    assert list(tmp_path.iterdir()) == []


def test_what_is_reported_is_written_as_the_document_means_it():
    told = {"reported": 5631717.0, "tolerance": 0.0, "unit": "numbers", "relation": "equals"}
    assert reported_of(told) == "5,631,717 numbers"
    assert reported_of(told | {"reported": 2.0, "reported_to": 4.0, "tolerance": 0.5}) == "2 to 4 ± 0.5 numbers"
    assert reported_of(told | {"reported": 100.0, "relation": "at-most", "unit": "ms"}) == "at most 100 ms"


def test_the_ledger_that_ships_rests_on_what_it_is_to_rest_on(configs):
    claims = [claim for document in configs.documents.values() for claim in document.claims]
    founding = [claim for claim in claims if claim.id[:3].isdigit()]
    assert len(founding) >= 120
    assert sum(claim.method == "measured" and claim.check is not None for claim in claims) >= 25
    assert {claim.method for claim in claims} == {"arithmetic", "measured", "projection", "untestable"}
    prices = {fact for claim in claims for _, fact in claim.facts if fact.startswith("price.")}
    assert {"price.aws-p4d.24xlarge", "price.aws-p5.48xlarge"} <= prices


def test_published_scores_of_radiographs_say_what_their_source_says_of_the_split(configs):
    """The README cited draws its split at random: its columns are of no list that the publisher gives."""
    cited = [document for document in configs.documents.values() if "arnoweng/CheXNet at 3d45ee7" in document.source]
    claims = [claim for document in cited for claim in document.claims if claim.id.startswith("wang-")]
    assert len(claims) == 15
    for claim in claims:
        assert "randomly split" in claim.definition
        assert "official" not in claim.definition
    assert not any("ResNet-50 as tabled" in document.source for document in cited)


def test_no_claim_waits_for_a_data_set_that_can_be_read(configs):
    titles = {configs.dataset(name).title.split()[0] for name in configs.names("datasets")}
    claims = [claim for document in configs.documents.values() for claim in document.claims]
    waiting = [
        (claim.id, title) for claim in claims for title in titles if f"the {title} data set" in (claim.waits_for or "")
    ]
    assert waiting == []


def test_every_row_that_ships_says_why_it_has_no_number_and_shows_what_it_has(configs):
    for row in claim_rows(configs.documents, declared_facts(configs)):
        found = [kind for kind in ("measured", "projected", "published") if row.get(kind) is not None]
        assert len(found) <= 1, row["claim"]
        if found:
            assert row["evidence"], row["claim"]
            assert row["interval_low"] <= row["interval_high"], row["claim"]
        else:
            assert row["verdict"] in ("not-run", "untestable"), row["claim"]
            assert row["reason"], row["claim"]
        assert "{" not in row["reason"], row["claim"]
