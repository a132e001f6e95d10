"""What no single file shows: whether the files of a project go together. All of it is looked at before any job starts."""

from itertools import product

from vitalbench.config.claims_file import check_facts, read_documents
from vitalbench.config.dataset import Dataset
from vitalbench.config.folder import ConfigFolder
from vitalbench.config.knobs import Knobs
from vitalbench.config.prices import check_price_keys, price_file, read_prices
from vitalbench.config.schema import Design, Size, Target
from vitalbench.errors import ConfigError


def check_windows(folder: ConfigFolder, sizes: dict[str, dict[Size, Design]], datasets: dict[str, Dataset]) -> None:
    """Refuse a window that is longer than a data set's records, or shorter than one of their samples, at either size."""
    for (item, dataset), (name, designs) in product(datasets.items(), sizes.items()):
        file, rate = folder.path / "designs" / f"{name}.yaml", dataset.signal.rate_hz
        for size, design in designs.items():
            window, prefix = design.window, "small." if size == "small" else ""
            if window is None:
                continue
            if window.seconds > dataset.signal.seconds:
                raise ConfigError(
                    f"{file}: {prefix}window.seconds is {window.seconds:g}, "
                    f"but a record of '{item}' has {dataset.signal.seconds:g} s"
                )
            for key, seconds in (("seconds", window.seconds), ("stride_seconds", window.stride_seconds)):
                if round(seconds * rate) < 1:
                    raise ConfigError(
                        f"{file}: {prefix}window.{key} is {seconds:g}, less than one sample of '{item}', {1 / rate:g} s"
                    )


def check_prices(folder: ConfigFolder, knobs: Knobs, targets: dict[str, Target]) -> None:
    """Refuse a price file that is damaged, and a target that names a price it does not have."""
    path = price_file(knobs, folder.path)
    prices = read_prices(path)
    for name, target in targets.items():
        check_price_keys(f"{folder.path / 'targets' / name}.yaml: prices", target.prices, prices, path)


def check_claims(folder: ConfigFolder) -> None:
    """Refuse a claims file that is damaged, and a claim that rests on a data set or a number there is not."""
    claims = folder.path / "claims"
    check_facts(claims, read_documents(claims), folder.names("datasets"), folder.dataset)
