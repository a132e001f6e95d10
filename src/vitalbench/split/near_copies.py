"""The pairs of a store's records that are one recording though their samples differ, for whoever asks once they were looked for."""

from pathlib import Path

import pandas as pd

from vitalbench.layout import NEIGHBOURS
from vitalbench.progress import say
from vitalbench.split import neighbours


def known(store: Path) -> pd.DataFrame | None:
    """Those that lie beside the store; None where no search of its content does.

    Args:
        store: store.h5, with manifest.json beside it.
    """
    found = neighbours.read(store.with_name(NEIGHBOURS), neighbours.store_content(store))
    return None if found is None else found[found["copy"].astype(bool)]


def near_copies(store: Path, threads: int) -> pd.DataFrame:
    """Those that lie beside the store, if found in its content, else looked for now; record_a, record_b and how they are alike."""
    found = known(store)
    if found is not None:
        return found
    say(f"{store}: no {NEIGHBOURS} of its content is beside it; looking for near-duplicates")
    pairs = neighbours.find(store, threads)
    return pairs[pairs["copy"].astype(bool)]
