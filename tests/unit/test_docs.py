"""The documents keep up with the code."""

import re

import pytest
from pydantic import BaseModel

from tests.conftest import ROOT
from vitalbench import cli
from vitalbench.config import augmentation, knobs, publisher, schema, search
from vitalbench.config.claims_file import Claim, Document

CONFIGURED = [
    getattr(file, name)
    for file in (augmentation, knobs, publisher, schema, search)
    for name in dir(file)
    if not name.startswith("_")
]
SECTIONS = [item for item in CONFIGURED if isinstance(item, type) and issubclass(item, BaseModel) and item.model_fields]


@pytest.mark.parametrize("section", [*SECTIONS, Claim, Document], ids=lambda section: section.__name__)
def test_every_configuration_key_is_explained(section):
    text = (ROOT / "docs/CONFIGURATION.md").read_text()
    missing = [
        key
        for key in section.model_fields
        if f"`{key}`" not in text and key not in text.split("prices/ and claims/")[1]
    ]
    assert missing == []


def test_every_metric_is_defined():
    text = (ROOT / "docs/METRICS.md").read_text()
    assert {f"`{name}`" for names in schema.METRICS.values() for name in names} <= set(re.findall(r"`\w+`", text))


def test_every_module_that_asks_whether_records_are_images_is_named():
    asks = re.compile(
        r"(dataset|config)\.image[ :)]*($|else|if)|if (dataset|config)\.image|shape_key|image_copies\.|OF_IMAGES|"
        r'"image": ?\{|"signal", "image"|get\("image"\)|(record|signal)\.ndim|(maps|steps)\.dim\(\)|'
        r"(if|not) [a-z.]*rate_hz\b(?! not)",
        re.MULTILINE,
    )
    package = ROOT / "src/vitalbench"
    found = {str(path.relative_to(package)) for path in package.rglob("*.py") if asks.search(path.read_text())}
    found -= {name for name in found if name.startswith("data/datasets/")}  # a reader is of one shape
    told = (ROOT / "docs/ARCHITECTURE.md").read_text()
    paragraph = told[told.index("**A shape in place of leads") :].split("\n\n")[0]
    assert {"split/neighbours.py", "config/model_options.py", "report/gallery.py"} <= found
    assert sorted(name for name in found if f"`{name}`" not in paragraph) == []


def test_no_document_names_a_file_that_is_not_there():
    """Paths in the documents' code spans exist; what a run makes, what an example adds and what a user names aside."""
    made = (
        "FOLDER/",
        "results/",
        "tables/",
        "figures/",
        "runs/",
        "splits/",
        "measure/",
        "/",
        "config/",
        "release/",
        "partial/",
        "receipts/",
        "parts/",
        "versions/",
        "examined/",
        "gallery/",
    )
    example = set(re.findall(r"^```\w+ (\S+)$", (ROOT / "docs/ADDING.md").read_text(), re.M))
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for span in re.findall(r"`([\w./-]+/[\w./-]*)`", document.read_text()):
            if span.startswith(made) or span in example:
                continue
            places = [ROOT / span, ROOT / "src/vitalbench" / span, ROOT / "configs" / span]
            assert any(place.exists() for place in places), f"{document.name}: {span}"


def test_the_commands_of_the_documents_exist():
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for name in re.findall(r"`?vitalbench ([a-z]+)[ `\n]", document.read_text()):
            assert name in {*cli.command_names(), "needs", "itself"}, f"{document.name}: vitalbench {name}"
