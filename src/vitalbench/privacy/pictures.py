"""Whether records may be shown: a page and its pictures leave the machine more easily than a store does."""

from vitalbench.config.dataset import Dataset


def withheld(dataset: Dataset, source: str | None) -> str:
    """Why no record of a data set is drawn for a page; empty where they may be: generated ones, and those of an open release.

    >>> from vitalbench.config.folder import ConfigFolder
    >>> from pathlib import Path
    >>> chest = ConfigFolder(Path("configs")).dataset("chestxray14")
    >>> withheld(chest, "local"), withheld(chest.model_copy(update={"access": "credentialed"}), "local")
    ('', "no picture: access to the data set is 'credentialed', so its records are not shown on pages")
    """
    if source == "generated":
        return ""
    if dataset.access != "open":
        return f"no picture: access to the data set is '{dataset.access}', so its records are not shown on pages"
    if dataset.encrypt:
        return "no picture: the data set is encrypted, so its records are not shown on pages"
    return ""
