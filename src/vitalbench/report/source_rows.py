"""What each source of a suite's data sets really adds, as rows of sources.csv."""

from collections.abc import Iterator
from typing import Any

from vitalbench.data.origins import origins_in
from vitalbench.results import Results
from vitalbench.split.near_copies import known


def source_rows(results: Results) -> Iterator[dict[str, Any]]:
    """A row a source of every data set that was built and is made of several."""
    for name in results.suite["sources"]:
        dataset, folder = results.dataset(name), results.data(name)
        several = len(dataset.header_folders) > 1 or dataset.made_of
        if not several or folder is None or not (folder / "manifest.json").is_file():
            continue
        for origin, counted in origins_in(folder, known(folder / "store.h5")).items():
            yield {
                "dataset": name,
                "data_source": results.suite["sources"][name],
                "made_of": origin,
                "listed": counted.listed,
                "kept_out": counted.kept_out,
                "copies": counted.copies,
                "adds": counted.adds,
                "near": counted.near,
            }
