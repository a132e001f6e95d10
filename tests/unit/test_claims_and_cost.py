"""A verdict is computed from numbers; a price is dated; neither is ever taken on trust."""

from types import SimpleNamespace

import pytest

from tests.conftest import ROOT
from vitalbench import cli
from vitalbench.claims.facts import Facts
from vitalbench.claims.ledger import judge
from vitalbench.claims.side_by_side import add_efficiency
from vitalbench.config.claims_file import Claim, read_documents
from vitalbench.config.expression import UnknownFact, evaluate
from vitalbench.config.prices import read_prices
from vitalbench.cost.table import Scale, electricity, hours
from vitalbench.errors import ConfigError
from vitalbench.measure.phases import Phase
from vitalbench.tables import write_table


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7),
        ("2 ** 10 / 4", 256),
        ("-(3 - 5)", 2),
        ("ceil(17418 / 32)", 545),
        ("max(1, a.b)", 4),
        ("a.c['PRC(S)'] + 1", 11),
    ],
)
def test_arithmetic(text, value):
    assert evaluate(text, {"a.b": 4, "a.c.PRC(S)": 10})[0] == value


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "a.__class__()",
        "1 if 2 else 3",
        "[1]",
        "9 ** 9 ** 9",
        "1 / 0",
        "lambda: 1",
        "'a' * 9",
        "x := 1",
        "1 +",
        "abs(1)",
        "2**1000",
    ],
)
def test_anything_else_is_refused(text):
    with pytest.raises((ConfigError, UnknownFact)):
        evaluate(text, {})


def claim(**more) -> Claim:
    return Claim(
        **(
            {"id": "c", "location": "l", "text": "t", "reported": 10.0, "unit": "records", "method": "arithmetic"}
            | more
        )
    )


def test_what_a_publisher_states_can_refute_and_not_reproduce():
    """Nothing was counted, so the measured column stays empty."""
    facts = Facts({"declared.x.records": 10})
    agrees = judge(claim(check="declared.x.records", reported=10.0), facts)
    assert (agrees["verdict"], agrees["published"]) == ("not-run", 10)
    assert "measured" not in agrees
    differs = judge(claim(check="declared.x.records", reported=12.0), facts)
    assert (differs["verdict"], differs["published"], differs["reason"]) == ("refuted", 10, "off by -2 records")


def test_reproduced_refuted_and_not_run():
    assert judge(claim(check="5 * 2"), Facts())["verdict"] == "reproduced"
    refuted = judge(claim(check="measured.b", reported=10.0), Facts({"measured.b": 12}))
    assert refuted["verdict"] == "refuted"
    assert refuted["reason"] == "off by +2 records"
    assert refuted["interval_low"] == refuted["interval_high"] == 12
    assert judge(claim(check="12", tolerance=2.0), Facts())["verdict"] == "reproduced"
    waiting = judge(claim(check="measured.x.records", method="measured"), Facts(missing={"x": "needs the whole x"}))
    assert (waiting["verdict"], waiting["reason"]) == ("not-run", "needs the whole x")
    assert judge(claim(method="untestable", reason="no data"), Facts())["verdict"] == "untestable"


@pytest.mark.parametrize(
    ("relation", "found", "verdict"),
    [
        ("equals", 11, "reproduced"),
        ("equals", 12, "refuted"),
        ("at-most", 3, "reproduced"),
        ("at-most", 12, "refuted"),
        ("at-least", 12, "reproduced"),
        ("at-least", 3, "refuted"),
    ],
)
def test_a_bound_holds_to_its_side_alone(relation, found, verdict):
    said = claim(check=str(found), relation=relation, tolerance=1)
    assert judge(said, Facts())["verdict"] == verdict


@pytest.mark.parametrize(
    ("relation", "interval", "verdict"),
    [
        ("equals", (9.5, 10.5), "reproduced"),
        ("equals", (9.5, 11.5), "untestable"),
        ("equals", (11.5, 12), "refuted"),
        ("at-most", (9, 10.5), "reproduced"),
        ("at-most", (9, 12), "untestable"),
        ("at-most", (11.5, 12), "refuted"),
        ("at-least", (10, 30), "reproduced"),
        ("at-least", (8, 30), "untestable"),
        ("at-least", (7, 8), "refuted"),
    ],
)
def test_a_measured_number_is_judged_by_its_whole_interval(relation, interval, verdict):
    facts = Facts({"measured.x": sum(interval) / 2}, {"measured.x": interval})
    row = judge(claim(check="measured.x", relation=relation, tolerance=1, method="measured"), facts)
    assert row["verdict"] == verdict
    assert (row["interval_low"], row["interval_high"]) == interval
    assert ("undecided" in row["reason"]) == (verdict == "untestable")


def test_an_interval_goes_through_the_arithmetic():
    facts = Facts({"measured.a": 4.0, "measured.b": 2.0}, {"measured.a": (3.0, 5.0), "measured.b": (1.0, 4.0)})
    row = judge(claim(check="measured.a / measured.b", method="measured"), facts)
    assert (row["measured"], row["interval_low"], row["interval_high"]) == (2.0, 0.75, 5.0)


def test_designs_side_by_side_are_waited_for_by_name():
    for facts in (Facts(missing={"x": "needs the whole x"}), Facts({"measured.x.records": 3})):
        row = judge(claim(check="measured.x.efficiency.cpu['d'].batch_s", reason="why"), facts)
        assert row["verdict"] == "not-run"
        assert "vitalbench efficiency" in row["reason"]
        assert row["reason"].endswith("; why")


def test_what_an_interval_makes_impossible_is_undecided():
    ends = {"measured.a": (0.0, 2.0)}
    row = judge(claim(check="1 / measured.a", method="measured"), Facts({"measured.a": 1.0}, ends))
    assert (row["verdict"], row["measured"]) == ("untestable", 1.0)


def test_what_was_measured_is_judged_though_it_is_scaled_by_a_declared_number():
    facts = Facts({"measured.a": 2.0, "declared.x.records": 5.0})
    row = judge(claim(check="measured.a * declared.x.records", method="measured"), facts)
    assert (row["verdict"], row["measured"]) == ("reproduced", 10.0)


def test_designs_side_by_side_are_facts_of_their_target_and_of_the_design_they_are_held_against(tmp_path):
    columns = {
        "dataset": "ptbxl",
        "size": "full",
        "target": "cpu",
        "rounds": 3,
        "batch_low_s": 1.0,
        "batch_high_s": 3.0,
    }
    slow = columns | {"design": "slow", "batch_s": 2.0}
    times = {"over": "slow", "batch_times": 4.0, "batch_times_low": 3.5, "batch_times_high": 4.5}
    fast = columns | {"design": "fast", "batch_s": 0.5, "batch_low_s": 0.4, "batch_high_s": 0.6} | times
    small = fast | {"size": "small", "batch_s": 0.1}
    write_table("efficiency", [slow, fast, small], tmp_path / "efficiency.csv")
    facts = Facts()
    add_efficiency(facts, SimpleNamespace(table=lambda name: tmp_path / f"{name}.csv"))
    assert facts.numbers["measured.ptbxl.efficiency.cpu.fast.times.slow"] == 4.0
    assert facts.intervals["measured.ptbxl.efficiency.cpu.fast.times.slow"] == (3.5, 4.5)
    assert facts.numbers["measured.ptbxl.efficiency.cpu.fast.batch_s"] == 0.5
    assert "measured.ptbxl.efficiency.cpu.slow.times.slow" not in facts.numbers


def test_what_waits_for_something_says_for_what(tmp_path):
    row = judge(claim(method="measured", waits_for="the LUNA16 data set", reason="why"), Facts())
    assert row == {"verdict": "not-run", "reason": "waits for the LUNA16 data set; why"}
    lines = "source: S\nclaims:\n  - {id: a, location: l, text: t, reported: 1, unit: u, method: arithmetic, waits_for: x}\n"
    (tmp_path / "a.yaml").write_text(lines)
    with pytest.raises(ConfigError, match="'waits_for' is in the place of the 'check' of a measured claim"):
        read_documents(tmp_path)


def test_the_document_of_the_ledger_is_what_the_ledger_says(tmp_path, capsys):
    assert cli.run(["claims", "--configs", str(ROOT / "configs"), "--markdown", str(tmp_path / "CLAIMS.md")]) == 0
    made = (tmp_path / "CLAIMS.md").read_text()
    assert made == (ROOT / "docs/CLAIMS.md").read_text(), "vitalbench claims --markdown docs/CLAIMS.md"
    assert "| 000-georgia-records |" in made
    assert "claims: " in capsys.readouterr().err


def test_every_founding_document_is_judged(configs):
    documents = read_documents(configs.path / "claims")
    assert {name[:3] for name in documents if name[0].isdigit()} == {"000", "001", "002", "003", "004"}
    assert sum(len(document.claims) for name, document in documents.items() if name[0].isdigit()) >= 120


def test_the_ledger_that_ships_is_consistent(configs):
    documents = read_documents(configs.path / "claims")
    assert sum(len(document.claims) for document in documents.values()) >= 15


def test_a_claim_id_is_used_once(tmp_path):
    text = (
        "source: s\nclaims:\n  - {id: a, location: l, text: t, reported: 1, unit: u, method: arithmetic, check: '1'}\n"
    )
    (tmp_path / "one.yaml").write_text(text)
    (tmp_path / "two.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"the id is taken in one\.yaml"):
        read_documents(tmp_path)


def test_an_unknown_beginning_of_a_fact_is_an_error_not_a_verdict():
    with pytest.raises(ConfigError, match="begins with none of"):
        judge(claim(check="declard.ptbxl.records"), Facts())


HEAD = "key,provider,sku,region,purchase,gpus,usd_per_hour,price_date,price_source\n"


def test_the_prices_that_ship_are_dated_and_sourced(configs):
    for path in (configs.path / "prices").glob("*.csv"):
        prices = read_prices(path)
        assert all(price.price_date <= path.stem for price in prices.values())  # one that is carried over keeps its own
    known = set(prices)
    for name in configs.names("targets"):
        assert set(configs.target(name).prices) <= known, name


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("k,p,s,r,on-demand,0,free,2026-01-01,x", "must be numbers"),
        ("k,p,s,r,on-demand,0,-1,2026-01-01,x", "must be positive"),
        ("k,p,s,r,on-demand,0,nan,2026-01-01,x", "must be positive"),
        ("k,p,s,r,on-demand,0,1e308,2026-01-01,x", "must be positive, and less than 1e\\+06"),
        ("k,p,s,r,on-demand,0,1,2026-01-01,x,more", "more cells than columns"),
        ("k,p,s,r,on-demand,0,1", "its date and its source"),
        ("k,p,s,r,on-demand,0,1,,x", "date and its source"),
        ("k,p,s,r,on-demnd,0,1,2026-01-01,x", "nearest: on-demand"),
        ("k,p,s,r,spot,0,1,2026-01-01,x\nk,p,s,r,spot,0,1,2026-01-01,x", "stands there twice"),
    ],
)
def test_a_wrong_price_names_its_line(tmp_path, row, message):
    (tmp_path / "p.csv").write_text(HEAD + row + "\n")
    with pytest.raises(ConfigError, match=message) as caught:
        read_prices(tmp_path / "p.csv")
    assert "p.csv: line " in str(caught.value)


def test_a_price_is_not_later_than_the_file_that_is_named_by_a_day(tmp_path):
    (tmp_path / "2026-02-01.csv").write_text(HEAD + "k,p,s,r,spot,0,1,2099-01-01,x\n")
    with pytest.raises(
        ConfigError, match="line 2: price_date is '2099-01-01', after the day that the file is named by"
    ):
        read_prices(tmp_path / "2026-02-01.csv")
    (tmp_path / "2026-02-01.csv").write_text(HEAD + "k,p,s,r,spot,0,1,2026-02,x\n")
    assert read_prices(tmp_path / "2026-02-01.csv")["k"].usd_per_hour == 1


def test_a_price_file_of_a_spreadsheet_is_read_and_what_is_none_is_one_line(tmp_path):
    path = tmp_path / "p.csv"
    path.write_bytes(b"\xef\xbb\xbf" + (HEAD + "k,p,s,r,spot,0,1,2026-02,x\n").encode())
    assert set(read_prices(path)) == {"k"}
    for content, said in (
        (b"\xff\xfe\x00", "not readable"),
        (b"", "column 'key' is missing"),
        (b"a" * 16_000_001, "16 MB"),
    ):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=said) as refused:
            read_prices(path)
        assert "\n" not in str(refused.value)
    with pytest.raises(ConfigError, match="it is no file"):
        read_prices(tmp_path)


def test_hours_are_measured_step_times_steps():
    facts = {"steps": 100, "steps_an_epoch": 10}
    phases = [
        Phase("train_step", [1.0, 2.0, 3.0], items=32, batch_size=32),
        Phase("inference", [0.1] * 3, items=1, batch_size=1),
        Phase("inference", [0.2] * 3, items=32, batch_size=32),
    ]
    found = hours(facts, phases)
    assert found["train"] == pytest.approx((150 / 3600, 200 / 3600, 250 / 3600))
    assert found["epoch"][1] == pytest.approx(20 / 3600)
    assert found["inference_1000"][1] == pytest.approx(0.2 / 32 * 1000 / 3600)


def test_loading_is_told_over_quartiles_furthest_apart_and_never_under_nothing():
    facts = {"steps": 3600, "steps_an_epoch": 10}
    step = Phase("train_step", [1.0, 2.0, 3.0], items=32, batch_size=32)
    assert hours(facts, [step, Phase("loaded_step", [2.0, 3.0, 4.0])])["loading"] == pytest.approx((0.0, 1.0, 2.0))
    assert hours(facts, [step, Phase("loaded_step", [1.0] * 3)])["loading"] == (0.0, 0.0, 0.0)
    assert "loading" not in hours(facts, [step])


def test_a_pass_over_kept_features_is_not_priced_as_one_of_the_whole_encoder():
    facts = {"steps": 10, "steps_an_epoch": 5, "epochs": 2, "validation_records": 9, "scored_records": 9}
    phases = [
        Phase("train_step", [1.0], items=4),
        Phase("features", [1.0], items=4),
        Phase("inference", [1.0], items=1),
    ]
    assert {"validation", "scoring"} <= set(hours(facts, phases))
    assert not {"validation", "scoring"} & set(hours(facts | {"featured_records": 8}, phases))


def test_a_training_of_another_size_is_its_batches_times_the_measured_step():
    phases = [Phase("train_step", [2.0] * 3, items=32, batch_size=32)]
    found = hours(Scale(records=100_000, epochs=50).facts(phases), phases)
    assert found["epoch"][1] == pytest.approx(3125 * 2 / 3600)
    assert found["train"][1] == pytest.approx(50 * 3125 * 2 / 3600)
    assert hours(Scale(10, 1).facts([]), []) == {}
    assert Scale(100, 2).facts(phases, drop_last=True)["steps"] == 2 * 3
    assert Scale(20, 2).facts(phases, drop_last=True)["steps"] == 2  # none is whole, so the only one stays


def test_features_that_are_kept_are_paid_for_once():
    phases = [
        Phase("features", [8.0], items=32, batch_size=32),
        Phase("train_step", [0.5] * 3, items=32, batch_size=32),
    ]
    found = hours(Scale(records=320, epochs=10).facts(phases, featured=1.25), phases)
    assert found["train"][1] == pytest.approx((400 / 32 * 8 + 10 * 10 * 0.5) / 3600)


def test_electricity_is_declared_power_times_the_tariff():
    price = electricity("rtx4090", 450.0, 2, 0.4, "2026-01-01")
    assert price.usd_per_hour == pytest.approx(0.36)
    assert (price.purchase, price.gpus, price.sku) == ("owned", 2, "rtx4090: 2 x 450 W declared, the devices alone")
    assert electricity("cpu", None, 1, 0.4, "2026-01-01") is None
