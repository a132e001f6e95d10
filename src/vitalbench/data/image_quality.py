"""What may be wrong with the pixels of a readable image."""

import numpy as np

from vitalbench.config.dataset import Image, Quality
from vitalbench.data.datasets import Record


def image_checks(record: Record, image: Image, limits: Quality) -> list[tuple[str, str]]:
    """Check one image's pixels.

    Returns:
        (check, detail) for every finding, the details naming the channels: `blank-image` (one value from edge to edge),
        `saturated` (more than `saturated_share` of the pixels are black or at full scale).
    """
    found: list[tuple[str, str]] = []
    digital = record.digital.reshape(len(record.digital), -1)
    blank = digital.max(axis=1) == digital.min(axis=1)
    names = np.array(image.channels)
    if blank.any():
        found.append(("blank-image", "channel " + " ".join(names[blank])))
    ends = ((digital == 0) | (digital == 2**image.bits - 1)).mean(axis=1)
    over = (ends > limits.saturated_share) & ~blank
    if over.any():
        found.append(("saturated", f"channel {' '.join(names[over])}: {ends.max():.0%} of the pixels black or white"))
    return found
