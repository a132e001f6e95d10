"""What others published of a task's classes, to stand beside what was measured here, and why the two are not compared."""

from dataclasses import dataclass

from vitalbench.files import read_json
from vitalbench.report.task_data import TaskData
from vitalbench.tables import read_table


@dataclass(frozen=True)
class Published:
    """AUROC by document and class, as the claims' files hold them.

    Attributes:
        values: by document, in short, what it states of each class, or of `macro`, their mean.
        note: where they are from, and why they are no comparison with what was measured; empty without values.
    """

    values: dict[str, dict[str, str]]
    note: str


def _not_alike(data: TaskData) -> list[str]:
    """In what the records and designs here are not the release and the published size."""
    suite, source = data.results.suite, data.results.suite["sources"][data.dataset]
    dataset = suite["datasets"][data.dataset]
    store = data.results.data(data.dataset)
    release = read_json(store / "manifest.json")["release"] if store else {"complete": False, "records": 0}
    told = []
    if source == "generated":
        told.append("these records are generated")
    elif not release["complete"]:
        told.append(f"{release['records']:,} of the release's records are here")
    if data.dataset != dataset["release"]:
        told.append(f"these are of {dataset['title']}")
    if suite["size"] != "full":
        told.append("these designs are at their small size")
    return told


def published(data: TaskData) -> Published:
    """What is published of the data set's release and the task's labels; nothing of a task whose primary metric is not AUROC."""
    table = data.results.table("claims")
    names = {data.dataset, data.results.suite["datasets"][data.dataset]["release"]}
    values: dict[str, dict[str, str]] = {}
    sources = []
    for row in read_table("claims", table) if data.task.primary == "auroc" and table.is_file() else []:
        dataset, _, rest = row["beside"].partition(".")
        labels, _, label = rest.partition(".")
        if dataset in names and labels == data.task.labels:
            values.setdefault(row["source"].split(",")[0], {})[label] = f"{float(row['reported']):.3f}"
            sources.append(row["source"])
    if not values:
        return Published({}, "")
    apart = _not_alike(data)
    no = f" No comparison: {'; '.join(apart)}." if apart else ""
    said = "Published, of the release, of other networks and splits: "
    found = f"{said}{'; '.join(dict.fromkeys(sources))}.{no} What follows from them stands under the reported numbers."
    return Published(values, found)
