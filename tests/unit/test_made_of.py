"""What a document's total is made of: published counts, each record once, by the facts that are stated elsewhere."""

import pandas as pd
import pytest
import yaml

from tests.conftest import ROOT
from vitalbench import cli
from vitalbench.commands.sources import document_rows
from vitalbench.config.folder import ConfigFolder
from vitalbench.config.made_of import made_of
from vitalbench.errors import ConfigError

DOCUMENT = "000-ecg-llm"


def test_the_lines_add_up_to_the_total_of_the_document(configs):
    lines, total = made_of(configs, DOCUMENT)
    assert sum(line.says for line in lines if line.says is not None) == total == 156840


def test_each_record_counts_once(configs):
    by_name = {line.name.split(" ")[0]: line for line in made_of(configs, DOCUMENT)[0]}
    assert by_name["PTB-XL"].adds == configs.dataset("ptbxl").expected.records
    assert by_name["Georgia"].adds == 10344
    assert by_name["CPSC"].adds == 6877 + 3453
    assert by_name["MIT-BIH"].adds == 48 + 18 + 23 + 90
    assert by_name["Chapman-Shaoxing"].adds + by_name["Ningbo,"].adds == 45152
    assert all(line.adds >= 0 for line in by_name.values())


def test_what_is_generated_is_summed_apart(configs):
    sums = {row[0].strip("*"): row[-1] for row in document_rows(configs, DOCUMENT)[-4:]}
    assert sums["recorded, each once"] == "53,298"
    assert sums["with the generated ones"] == "73,298"
    assert sums["with what it does not list, too"] == "107,804"


def test_the_documentation_shows_this_table(configs):
    text = (ROOT / "docs/DATA.md").read_text()
    for row in document_rows(configs, DOCUMENT):
        assert f"| {' | '.join(row)} |" in text


def test_the_command_writes_it(tmp_path, capsys):
    out = tmp_path / "made-of.csv"
    cli.run(["sources", "--document", DOCUMENT, "--configs", str(ROOT / "configs"), "--out", str(out)])
    assert len(pd.read_csv(out)) == len(capsys.readouterr().out.splitlines()) - 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"claim": "000-ptbxl-record"}, "claim '000-ptbxl-record'; .*nearest: 000-ptbxl-records"),
        ({"published": "stated.chapmann"}, "published: .*nearest: stated.chapman"),
        ({"datasets": ["cpsc2021"]}, "data set 'cpsc2021' does not say how many"),
        ({"published": "1 +"}, "published"),
    ],
)
def test_a_line_that_names_what_is_not_there_is_refused(project, change, told):
    file = project / f"configs/made-of/{DOCUMENT}.yaml"
    about = yaml.safe_load(file.read_text())
    about["lines"][0] |= change
    silent = project / "configs/datasets/cpsc2021.yaml"
    silent.write_text(silent.read_text().partition("expected:")[0])
    file.write_text(yaml.safe_dump(about))
    with pytest.raises(ConfigError, match=told):
        made_of(ConfigFolder(project / "configs"), DOCUMENT)


def test_a_document_that_is_not_there_is_told_with_the_nearest(configs):
    with pytest.raises(ConfigError, match="nearest: 000-ecg-llm"):
        made_of(configs, "000-ecg")
