"""The figure of one record: everything that says what it is worth is on the page, and leads stay apart."""

import re

import numpy as np
import pandas as pd

from vitalbench.report.record_figure import record_figure

FOUND = pd.DataFrame(
    {"class": ["A"], "probability": [0.5], "calibrated": [0.4], "low": [0.3], "high": [0.6], "threshold": [0.45]}
)
LEADS = ("I", "II", "III")
SPIKED = 30  # every so manieth sample is a peak, as a beat's is: few of all, and none to be left out


def drawn(title: str = "") -> str:
    signal = np.tile(0.01 * (np.arange(1000) % 2), (3, 1)).astype(np.float32)
    signal[0, ::SPIKED], signal[1, ::SPIKED] = -1.0, 1.0
    return record_figure(signal, LEADS, 100.0, FOUND, title, "svg").decode()


def heights(svg: str) -> list[tuple[float, float]]:
    """Lowest and highest place of each lead's line on the page, top down; the page's axis points down."""
    lines = [re.findall(r"[ML] (-?[\d.]+) (-?[\d.]+)", path) for path in re.findall(r'<path d="([^"]+)"', svg)]
    long = [[float(y) for _, y in points] for points in lines if len(points) > SPIKED]
    return [(min(places), max(places)) for places in long]


def test_a_lead_s_peaks_do_not_reach_the_next():
    first, second, third = heights(drawn())
    assert first[1] < second[0]
    assert second[1] < third[0]


def test_a_long_title_is_on_the_page_to_its_last_word():
    title = " ".join(f"word{number}" for number in range(60))
    lines = re.findall(r">(word.*?)<", drawn(title))
    assert " ".join(lines).split() == title.split()
    assert max(map(len, lines)) <= 130  # at 9 points on a page of 11 inches


def test_an_image_is_drawn_beside_what_is_said_of_it():
    image = np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 8, 8)
    svg = record_figure(image, ("grey",), 0.0, FOUND, "", "svg").decode()
    assert "<image" in svg
    assert "seconds" not in svg
    assert "grey" in svg
