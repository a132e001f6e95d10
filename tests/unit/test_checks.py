"""Everything in configs/ that a suite uses is looked at before the DAG is built: claims, prices, patterns, modules, both sizes."""

import pytest

from tests.unit.test_config import edit, refusal
from vitalbench.config.folder import ConfigFolder
from vitalbench.config.planning import make_plan


def plan_of(project):
    folder = ConfigFolder(project / "configs")
    return make_plan(folder, folder.knobs({})).cells


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("unit: records, method", "units: records, method", "nearest: unit"),
        ("claims:\n", "claims: [\n", "ptbxl.yaml: line "),
        ("measured.ptbxl.records", "mesured.ptbxl.records", "nearest: measured"),
        ("measured.ptbxl.records", "measured.ptbx.records", "nearest: ptbxl"),
        ("measured.ptbxl.records", "declared.ptbxl.recods", "nearest: declared.ptbxl.records"),
        ("measured.ptbxl.records", "measured.ptbxl.recods", "nearest: records"),
        ("measured.ptbxl.records", "measured.ptbxl.auroc.al.s4d", "nearest: all"),
        ("measured.ptbxl.records", "measured.ptbxl.auroc.all.s4dd", "nearest: s4d"),
        ("measured.ptbxl.records", "measured.ptbxl.efficiency.cpu.s4d.batch_m", "nearest: batch_s"),
        ("measured.ptbxl.records", "measured.ptbxl.efficiency.gpu.s4d.batch_s", "nearest: cpu"),
        (
            "measured.ptbxl.records",
            "measured.ptbxl.efficiency.cpu.s4d.batch_s.foo",
            "is named 'batch_s.foo'; allowed: batch_high_s",
        ),
        ("measured.ptbxl.records", "measured.ptbxl.efficiency.cpu.s4d.times.s4d.foo", "no design is named 's4d.foo'"),
        (
            "measured.ptbxl.records",
            "measured.ptbxl.efficiency.cpu.s4d.training_h",
            "begins with 'projected', not 'measured'",
        ),
        (
            "measured.ptbxl.records",
            "measured.ptbxl.efficiency.cpu.s4d.device_name",
            "no column of the table efficiency",
        ),
        ("measured.ptbxl.records", "measured.ptbxl.auroc.all.s4d.foo", "no class of task 'all' is named 'foo'"),
        ("measured.ptbxl.records", "measured.ptbxl.records.foo", "is one number, without '.foo'"),
        ("measured.ptbxl.records", "measured.ptbxl.labels.form.PCV", "nearest: PVC"),
        ("measured.ptbxl.records", "measured.ptbxl.split.all.trian", "nearest: train"),
        ("measured.ptbxl.records", "\"measured.ptbxl.records + price['aws-m5.larg']\"", "nearest: aws-m5.large"),
        ("measured.ptbxl.records", "measured.ptbxl.records + target.h100.memory", "nearest: memory_gb"),
        (
            "measured.ptbxl.records",
            "measured.ptbxl.records + stated.x",
            "no number that the file's 'stated' holds is named 'x'",
        ),
        (
            "measured.ptbxl.records",
            "projected.ptbxl.efficiency.cpu.s4d.training_h",
            "method is 'measured', and its check names a projected",
        ),
        (
            "measured.ptbxl.records}",
            "measured.ptbxl.records, reason: 'of {measured.ptbxl.recods}'}",
            "reason: 'measured.ptbxl.recods'",
        ),
        (
            "measured.ptbxl.records}",
            "measured.ptbxl.records, reason: 'a {1 / 0} b'}",
            "reason: '1 / 0': division by zero",
        ),
        (
            "measured.ptbxl.records}",
            "measured.ptbxl.records, reason: 'a { b'}",
            "reason: 'a { b': a brace holds an expression",
        ),
        ("reported: 21799", "reported: 21799, reported_to: 3", "a range ends above 21799"),
        ("reported: 21799", "reported: 21799, reported_to: 21800, relation: at-most", "which a range does not have"),
        (
            "claims:\n",
            "stated: {idle: {value: 1, unit: u, source: s}}\nclaims:\n",
            "stated.idle: no claim of the file names it",
        ),
        (
            "claims:\n",
            "stated: {x: {value: 3, low: 1, high: 2, unit: u, source: s}}\nclaims:\n",
            "'value' lies between them",
        ),
        ("claims:\n", "stated: &a {x: *a}\nclaims:\n", "key 'stated.x.x' is not known here"),
        ("measured.ptbxl.records", "'12'", "method is 'measured', and its check names no measured fact"),
        ("reported: 21799", "reported: .nan", "should be a finite number"),
        ("unit: records", "unit: ''", "claims.0.unit"),
        ("measured.ptbxl.records", "'max(1) + measured.ptbxl.records'", "'max' takes two numbers or more"),
        ("measured.ptbxl.records", "'1 +'", "check: not an expression"),
        ("measured.ptbxl.records", "'1 / 0'", "division by zero"),
        ("measured.ptbxl.records", "'abs(measured.ptbxl.records)'", "function 'abs'"),
        ("measured.ptbxl.records", "''", "check: not an expression"),
        ("id: ptbxl-patients", "id: ptbxl-records", "the id is taken in ptbxl.yaml"),
    ],
)
def test_a_wrong_claim_names_its_file(project, old, new, said):
    edit(project, "claims/ptbxl.yaml", old, new)
    message = refusal(project)
    assert message.startswith(str(project / "configs/claims/ptbxl.yaml"))
    assert said in message


def test_a_claims_file_of_another_ending_is_not_left_out_in_silence(project):
    claims = project / "configs/claims"
    (claims / "ptbxl.yaml").rename(claims / "ptbxl.yml")
    assert refusal(project).startswith(f"{claims / 'ptbxl.yml'}: a claims file is named ptbxl.yaml")


def test_a_claim_may_rest_on_a_data_set_that_the_suite_does_not_use(project):
    edit(
        project,
        "claims/ptbxl.yaml",
        "measured.ptbxl.records",
        "\"measured.ptbxl.records * declared['ptbxl-500'].signal.rate_hz\"",
    )
    assert plan_of(project)
    edit(project, "claims/ptbxl.yaml", ".signal.rate_hz", ".signal.rate")
    assert "declares no 'declared.ptbxl-500.signal.rate'" in refusal(project)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("usd_per_hour,", "usd_an_hour,", "column 'usd_per_hour' is missing"),
        ("0.0971", "free", "must be numbers"),
        ("on-demand,0,0.0971", "on-demand,-1,0.0971", "gpus is -1"),
        ("gcp-n2-standard-2,", "gcp-n2-standard-4,", "nearest: gcp-n2-standard-4"),
    ],
)
def test_a_wrong_price_file_is_told(project, old, new, said):
    edit(project, "prices/2026-09-06.csv", old, new)
    assert said in refusal(project)


def test_a_price_of_an_older_file_is_no_price_of_today_but_is_pointed_at(project):
    prices = project / "configs/prices"
    text = (prices / "2026-09-06.csv").read_text()
    (prices / "2026-12-01.csv").write_text("".join(line for line in text.splitlines(True) if "azure-d2s" not in line))
    message = refusal(project)
    assert message.startswith(str(project / "configs/targets/cpu.yaml: prices"))
    assert "'azure-d2s-v5'; it stands in 2026-09-06.csv" in message


def test_a_target_without_prices_is_fine(project):
    edit(project, "targets/cpu.yaml", "prices: [aws-m5.large, azure-d2s-v5, gcp-n2-standard-2]", "prices: []")
    assert plan_of(project)


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("targets/cpu.yaml", "device: cpu", 'device: cpu\nmatch: "A100(.*"', "no regular expression"),
        (
            "datasets/ptbxl.yaml",
            "module: ptbxl",
            "module: ptbx",
            "'module' is 'ptbx'; allowed: challenge, chestxray14, combined, edb, mitdb, ptbxl, rhythm, synthetic; nearest: ptbxl",
        ),
        ("datasets/ptbxl.yaml", "leads: [I, II,", "leads: [I, I,", "key 'signal.leads': names I twice"),
        ("designs/s4d.yaml", "  schedule: cosine", "  beta2: 1.0\n  schedule: cosine", "'train.beta2' is 1.0"),
        (
            "designs/s4d.yaml",
            "seconds: 2.5, stride",
            "seconds: 0.004, stride",
            "window.seconds is 0.004, less than one",
        ),
        ("designs/s4d.yaml", "stride_seconds: 1.25", "stride_seconds: 0.001", "window.stride_seconds is 0.001, less"),
        ("designs/s4d.yaml", "train: {epochs: 7}", "window: {seconds: 30}", "small.window.seconds is 30, but a record"),
    ],
)
def test_a_value_that_could_only_fail_later_is_refused(project, file, old, new, said):
    edit(project, file, old, new)
    message = refusal(project)
    assert message.startswith(str(project / "configs" / file))
    assert said in message


@pytest.mark.parametrize("size", ["small", "full"])
@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("train: {epochs: many}", "small: key 'train.epochs' is 'many'"),
        ("train: {epoch: 7}", "nearest: epochs"),
        ("model: {options: {widht: 48}}", "nearest: width"),
    ],
)
def test_both_sizes_of_a_design_are_checked_whichever_runs(project, size, new, said):
    edit(project, "suites/quick.yaml", "size: small", f"size: {size}")
    edit(
        project,
        "designs/s4d.yaml",
        "  model: {options: {width: 48, depth: 2, state: 16}}\n  train: {epochs: 7}",
        f"  {new}",
    )
    message = refusal(project)
    assert said in message
    assert "designs/s4d.yaml: small" in message


@pytest.mark.parametrize(
    ("design", "dataset", "task", "said"),
    [
        ("s4d", "chestxray14-64", "findings", "s4d.yaml: model.name is about records of the shape 'signal'"),
        (
            "resnet50",
            "ptbxl",
            "superdiagnostic",
            "resnet50.yaml: model.name is about records of the shape 'image'",
        ),
    ],
)
def test_a_design_of_signals_is_refused_for_images_and_the_other_way_round(project, design, dataset, task, said):
    edit(project, "suites/quick.yaml", "[xresnet1d101, s4d]", f"[{design}]")
    edit(project, "suites/quick.yaml", "[ptbxl]", f"[{dataset}]")
    edit(project, "suites/quick.yaml", "[superdiagnostic]", f"[{task}]")
    assert said in refusal(project)


@pytest.mark.parametrize(
    ("new", "key"),
    [
        ("    noise: {mv: 0.1}\n    contrast", "train.augment.noise"),
        ("    contrast: {p: 0.5}\nwindow: {seconds: 1, stride_seconds: 1, aggregate: max}\nleads: [grey]\n#", "window"),
    ],
)
def test_what_is_done_to_signals_is_not_done_to_images(project, new, key):
    edit(project, "designs/resnet50.yaml", "    contrast", new)
    edit(project, "suites/quick.yaml", "[xresnet1d101, s4d]", "[resnet50]")
    edit(project, "suites/quick.yaml", "[ptbxl]", "[chestxray14-64]")
    edit(project, "suites/quick.yaml", "[superdiagnostic]", "[findings]")
    assert f"{key} is about records of the shape 'signal'" in refusal(project)


def test_a_claim_about_a_class_that_the_task_does_not_have_is_refused(project):
    edit(project, "claims/chestxray14.yaml", "['resnet50'].Hernia", "['resnet50'].Hernie")
    assert "no class of task 'findings' is named 'Hernie'" in refusal(project)
    assert "nearest: Hernia" in refusal(project)
