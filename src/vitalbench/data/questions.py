"""What is asked of a record's samples, by the shape that its data set declares."""

from vitalbench.config.dataset import DatasetBuild
from vitalbench.data.datasets import Record
from vitalbench.data.image_quality import image_checks
from vitalbench.data.quality import sample_checks


def questions(record: Record, config: DatasetBuild) -> list[tuple[str, str]]:
    """(check, detail) for every finding: data/quality.py of signals, data/image_quality.py of images."""
    if config.image:
        return image_checks(record, config.image, config.quality)
    return sample_checks(record, config.signal, config.quality)
