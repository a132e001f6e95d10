"""Maps point where a class's logit comes from, and pointing is measured against boxes of known place."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from vitalbench.commands import explain
from vitalbench.commands.passes import emptied
from vitalbench.config.design import Window
from vitalbench.errors import InputError
from vitalbench.evaluate.pointing import Box, peaks, pointed, pointing_rows
from vitalbench.models import build
from vitalbench.models.layers.encoding import Encoding
from vitalbench.models.layers.headed import Headed
from vitalbench.report.overlay_figure import Overlay, overlay_figure
from vitalbench.train.attribution import gradcam
from vitalbench.train.batches import Batches, Scale
from vitalbench.train.dropout_passes import keep_dropout_on, seeds
from vitalbench.train.explained import maps_of


class Halves(Encoding):
    """Two channels: what is light, and what is dark; of every second pixel."""

    features = channels = 2
    stride = 2

    def sequence(self, x: torch.Tensor) -> torch.Tensor:
        light = nn.functional.avg_pool2d(x, 2)
        return torch.cat([light.clamp_min(0), (-light).clamp_min(0)], dim=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.sequence(x).mean(dim=(2, 3))


def halves() -> Headed:
    head = nn.Linear(2, 2)
    with torch.no_grad():
        head.weight.copy_(torch.eye(2))
    return Headed(Halves(), head)


def test_each_class_is_seen_where_its_logit_comes_from():
    """Class 0 rests on what is light, class 1 on what is dark: Grad-CAM of a linear head is that channel, enlarged."""
    x = torch.zeros(2, 1, 16, 16)
    x[0, 0, 2:4, 10:12] = 1.0
    x[0, 0, 12:14, 4:6] = -1.0
    maps = gradcam(halves(), x, [0, 1])
    assert maps.shape == (2, 2, 16, 16)
    peaks = [np.unravel_index(maps[0, k].argmax(), (16, 16)) for k in range(2)]
    assert 2 <= peaks[0][0] < 4
    assert 10 <= peaks[0][1] < 12
    assert 12 <= peaks[1][0] < 14
    assert 4 <= peaks[1][1] < 6
    assert maps[0].max() == pytest.approx(1)
    assert not maps[1].any()  # nothing there
    assert gradcam(halves(), x, [1])[0, 0] == pytest.approx(maps[0, 1])


def test_a_model_without_an_encoder_has_no_map():
    with pytest.raises(InputError, match="no encoder apart"):
        gradcam(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), torch.zeros(1, 1, 2, 2), [0])


def test_signals_have_maps_along_time_too_and_the_model_is_left_as_it_was():
    torch.manual_seed(0)
    model = build("resnet1d_wang", {"width": 8}, leads=2, samples=130, classes=3).eval()
    x = torch.randn(4, 2, 130)
    before = model(x)
    maps = gradcam(model, x, [2])
    assert maps.shape == (4, 1, 130)
    assert torch.equal(model(x), before)
    assert "sequence" not in vars(model.encoder)


class Loud(Encoding):
    """One channel: how far above 0 each fourth sample is."""

    features = channels = 1
    stride = 4

    def sequence(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.avg_pool1d(x, 4).clamp_min(0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.sequence(x).mean(dim=2)


class Kept:
    """Signals where a store is expected."""

    def __init__(self, signals: np.ndarray, rate_hz: int) -> None:
        self.signals, self.rate_hz, self.samples = signals, rate_hz, signals.shape[2]

    def read(self, rows, start=0, length=None):
        first = int(np.asarray(start).flat[0])
        return self.signals[rows, :, first : first + (length or self.samples)].copy()


@pytest.mark.parametrize(("aggregate", "quieter"), [("max", 0.0), ("mean", 0.119 / 0.982)])
def test_of_windows_the_map_is_of_those_that_made_the_records_probability(aggregate, quieter):
    """Two bursts in windows of their own, of the probabilities 0.119 and 0.982: the highest knows one, the mean both."""
    signals = np.zeros((2, 1, 64), np.float32)
    signals[0, 0, 8:12], signals[0, 0, 40:44] = 2.0, 8.0
    signals[1, 0, 20:24] = 5.0
    head = nn.Linear(1, 1)
    with torch.no_grad():
        head.weight.fill_(4.0)
        head.bias.fill_(-4.0)
    window = Window(seconds=2.0, stride_seconds=2.0, aggregate=aggregate)
    batches = Batches(Kept(signals, 8), Scale(0.0, 1.0), window, 1)
    maps = maps_of(Headed(Loud(), head), batches, np.arange(2), [0, 0], "multilabel")
    assert maps.shape == (2, 64)
    assert 40 <= maps[0].argmax() < 44
    assert 20 <= maps[1].argmax() < 24
    assert maps.max(axis=1) == pytest.approx(1)
    assert maps[0, 8:12].max() == pytest.approx(quieter, abs=0.002)


class Stored:
    """A store of images, each of one value, and batches of it."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = images

    def read(self, rows):
        return self.images[rows]

    def windows(self, rows):
        for start in range(0, len(rows), 4):
            some = slice(start, min(start + 4, len(rows)))
            yield torch.from_numpy(self.images[rows[some]]), some


def test_of_the_maps_that_are_measured_only_those_that_are_drawn_are_kept(monkeypatch):
    """19 places of 12 records: the surest and the least sure are kept, and no batch's maps of all classes behind them."""
    store = Stored(np.random.default_rng(0).random((12, 1, 8, 8)).astype(np.float32))
    monkeypatch.setattr(explain, "Store", lambda _: store)
    boxes = [[Box("A", 0, 0, 0.5, 0.5), *([Box("B", 0.5, 0.5, 0.5, 0.5)] * (at < 7))] for at in range(12)]
    table = {"record_id": [f"r{at}" for at in range(12)], "patient_id": [f"p{at}" for at in range(12)], "boxes": boxes}
    boxed = pd.DataFrame(table | {"y_prob:A": np.linspace(0.2, 0.8, 12), "y_prob:B": np.linspace(0.9, 0.1, 12)})
    run = SimpleNamespace(task=SimpleNamespace(classes=["A", "B"]), batches=lambda *_: store)
    told = SimpleNamespace(run=run, store=None, model=halves(), rows=lambda some: np.arange(len(some)))
    assert sum(shown is not None for _, shown in explain._overlays(told, boxed, set())) == 0
    found = list(explain._overlays(told, boxed, explain._drawn(boxed, 4)))
    assert len(found) == 19
    kept = [shown for _, shown in found if shown]
    assert sorted(shown.probability for shown in kept) == pytest.approx([0.2, 0.2545, 0.8273, 0.9], abs=0.001)
    assert all(array.base is None and array.size == 64 for shown in kept for array in (shown.found, shown.image))
    assert len(explain._drawn(boxed, 100)) == 19


def test_a_peak_in_the_box_is_a_hit_and_chance_is_the_boxs_area():
    found = np.zeros((10, 10), np.float32)
    found[3, 7], found[8, 2] = 1.0, 0.5
    inside, beside = Box("A", 0.6, 0.2, 0.3, 0.3), Box("A", 0.0, 0.7, 0.4, 0.3)
    assert pointed(found, [inside]) == pytest.approx({"hit": 1.0, "inside": 1 / 1.5, "area": 0.09})
    assert pointed(found, [beside]) == pytest.approx({"hit": 0.0, "inside": 0.5 / 1.5, "area": 0.12})
    assert pointed(found, [inside, beside]) == pytest.approx({"hit": 1.0, "inside": 1.0, "area": 0.21})
    assert pointed(np.zeros((10, 10), np.float32), [inside])["hit"] == 0.0
    assert Box("A", 0.501, 0.501, 0.001, 0.001).mask((10, 10)).sum() == 1  # smaller than a pixel


@pytest.mark.parametrize(("cells", "size"), [(8, 64), (7, 224), (5, 64)])
@pytest.mark.parametrize("at", [(0, 0), (0, 2), (3, 1), (2, 0)])
def test_a_map_and_its_mirror_image_point_alike(cells, size, at):
    """A cell's peak is drawn out to a plateau at the border: its middle is mirrored exactly, and so is what it hits."""
    coarse = torch.zeros(1, 1, cells, cells)
    coarse[0, 0, at[0], at[1]] = 0.7
    box = Box("A", at[1] / cells, at[0] / cells, 1 / cells, 1 / cells)  # the cell itself
    narrow = Box("A", box.x, box.y, 0.02, 0.02)
    turned = [
        (coarse, lambda box: box),
        (coarse.flip(3), lambda box: Box("A", 1 - box.x - box.width, box.y, box.width, box.height)),
        (coarse.flip(2), lambda box: Box("A", box.x, 1 - box.y - box.height, box.width, box.height)),
    ]
    told = []
    for image, of in turned:
        found = nn.functional.interpolate(image, size=(size, size), mode="bilinear", align_corners=False)[0, 0].numpy()
        told.append([peaks(found), pointed(found, [of(box)]), pointed(found, [of(narrow)])])
    (((down, across),), inside, beside), *mirrored = told
    assert inside["hit"] == 1.0
    for (((row, column),), of_cell, of_corner), expected in zip(
        mirrored, [(down, size - 1 - across), (size - 1 - down, across)], strict=True
    ):
        assert (row, column) == pytest.approx(expected)
        assert of_cell == pytest.approx(inside)
        assert of_corner == pytest.approx(beside)


def test_a_map_as_high_in_two_places_points_where_both_are():
    found = np.zeros((10, 10), np.float32)
    found[2, 2] = found[2, 8] = 1.0
    left, whole = Box("A", 0.0, 0.0, 0.5, 0.5), Box("A", 0.0, 0.0, 1.0, 0.5)
    assert peaks(found) == [(2.0, 2.0), (2.0, 8.0)]
    assert (pointed(found, [left])["hit"], pointed(found, [whole])["hit"]) == (0.0, 1.0)
    assert peaks(np.ones((9, 9), np.float32)) == [(4.0, 4.0)]
    assert peaks(np.zeros((9, 9), np.float32)) == []


def test_pointing_at_random_is_at_chance_and_knowing_is_all():
    rng = np.random.default_rng(0)
    box = Box("A", 0.2, 0.3, 0.4, 0.5)
    rows = []
    for label, knows in (("A", False), ("B", True)):
        for at in range(800):
            found = np.zeros((20, 20), np.float32)
            place = (10, 8) if knows else tuple(rng.integers(0, 20, 2))
            found[place] = 1
            rows.append({"record_id": f"r{at}", "patient_id": f"p{at // 2}", "label": label} | pointed(found, [box]))
    told = {row["label"]: row for row in pointing_rows(pd.DataFrame(rows), 200, 0)}
    assert told["A"]["n_patients"] == 400
    assert told["A"]["chance"] == pytest.approx(0.2)
    assert told["A"]["gain_low"] < 0 < told["A"]["gain_high"]
    assert told["B"]["accuracy"] == 1.0
    assert told["macro"]["accuracy"] == pytest.approx((told["A"]["accuracy"] + 1) / 2)


def places(hits: list[float], patients: list[str]) -> pd.DataFrame:
    at = np.arange(len(hits))
    told = {"record_id": [f"r{i}" for i in at], "patient_id": patients, "label": "A", "hit": hits}
    return pd.DataFrame(told | {"inside": at / 20, "area": 0.04 + at / 1000})


def test_where_no_map_points_into_its_box_the_interval_is_exact_or_there_is_none():
    (alone, _) = pointing_rows(places([0.0] * 7, list("abcdefg")), 200, 0)
    assert (alone["accuracy"], alone["accuracy_low"]) == (0.0, 0.0)
    assert alone["accuracy_high"] == pytest.approx(0.4096, abs=1e-4)
    assert alone["gain_low"] == pytest.approx(-alone["chance"])
    assert alone["gain_high"] == pytest.approx(0.4096 - alone["chance"], abs=1e-4)
    assert alone["interval"] == "percentile; exact: accuracy, gain"
    assert alone["reason"] == ""
    (several, _) = pointing_rows(places([0.0] * 9, list("aabbccdef")), 200, 0)
    assert several["accuracy_low"] is None
    assert several["gain_low"] is None
    assert several["inside_low"] < several["inside_high"]
    assert several["reason"].startswith("no interval of accuracy, gain: all 6 patients alike")
    (few, _) = pointing_rows(places([0.0, 1.0, 1.0], list("abc")), 200, 0)
    assert few["reason"] == "no interval: 3 patients, fewer than 5"


def test_a_class_whose_place_no_test_record_tells_says_so():
    rows = list(pointing_rows(places([0.0, 1.0] * 4, list("abcdefgh")), 50, 0, ["A", "B"]))
    assert [row["label"] for row in rows] == ["A", "B", "macro"]
    assert rows[1] == {
        "label": "B",
        "n_records": 0,
        "n_patients": 0,
        "reason": "no value: no test record tells its place",
    }


def test_passes_of_an_earlier_command_are_not_left_among_the_new_ones(tmp_path):
    for name in ("pass-00.parquet", "pass-01.parquet", "pass-100.parquet", "passport.parquet"):
        (tmp_path / name).write_text("")
    emptied(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["passport.parquet"]


def test_passes_differ_by_their_number_alone_and_only_dropout_is_on():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 32), nn.BatchNorm1d(32), nn.Dropout(0.5), nn.Linear(32, 1)).eval()
    statistics = model[1].running_mean.clone()
    assert keep_dropout_on(model) == 1
    x = torch.randn(50, 6)
    accelerator = type("Here", (), {"device": torch.device("cpu")})()
    five = [model.eval()(x) for _ in seeds(accelerator, 5, 3)]
    two = [model.eval()(x) for _ in seeds(accelerator, 2, 3)]
    assert all(torch.equal(a, b) for a, b in zip(five, two, strict=False))
    assert not torch.equal(five[0], five[1])
    assert torch.equal(model[1].running_mean, statistics)
    with pytest.raises(InputError, match="no dropout"):
        keep_dropout_on(nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.0)))


@pytest.mark.parametrize(
    ("name", "options", "layers"),
    [("s4d", {"width": 16, "depth": 2, "dropout": 0.3}, 4), ("xresnet1d", {"layers": [1, 1, 1, 1], "width": 8}, 2)],
)
def test_a_models_dropout_is_kept_on_whatever_its_kind(name, options, layers):
    """S4D drops whole channels, the benchmark's head single features: both vary the scores, and eval does not end it."""
    model = build(name, options, leads=2, samples=128, classes=3)
    assert keep_dropout_on(model) == layers
    x = torch.randn(4, 2, 128)
    accelerator = type("Here", (), {"device": torch.device("cpu")})()
    with torch.no_grad():
        first, second = [model.eval()(x) for _ in seeds(accelerator, 2, 0)]
        assert not torch.equal(first, second)
        assert not any(module.training for module in model.modules() if isinstance(module, nn.BatchNorm1d))


def test_of_channels_that_are_dropped_whole_ones_are():
    model = nn.Sequential(nn.Identity(), nn.Dropout1d(0.5)).eval()
    assert keep_dropout_on(model) == 1
    torch.manual_seed(0)
    found = model.eval()(torch.ones(8, 16, 32))
    assert {tuple(channel.unique().tolist()) for channel in found.flatten(0, 1)} == {(0.0,), (2.0,)}


def test_overlays_are_drawn_whatever_their_number():
    image, found = np.zeros((1, 8, 8), np.float32), np.eye(8, dtype=np.float32)
    one = Overlay(image, found, [Box("A", 0.1, 0.1, 0.5, 0.5)], "A", "r", 0.5, True)
    for count in (0, 1, 5):
        assert overlay_figure([one] * count, "abc").startswith(b"\x89PNG")
