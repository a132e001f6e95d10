"""The frozen encoder in the place of the plain one: the same features, and how much sooner, compared in one run."""

import pytest
import torch

from tests.benchmarks.test_hot_paths import paired_ratio
from vitalbench.config.fast import Fast
from vitalbench.models import build
from vitalbench.train.frozen import FrozenBackbone

pytestmark = [pytest.mark.slow, pytest.mark.alone]


def test_the_frozen_encoder_against_the_plain_one(benchmark, beside):
    """Two blocks of the report's width, a batch of 8: at least twice as fast in fp32, and the same to 1e-5."""
    torch.set_num_threads(2)
    torch.manual_seed(0)
    model = build("s4", {"depth": 2}, leads=8, samples=1000, classes=5).eval()
    x = torch.randn(8, 8, 1000)
    form = FrozenBackbone(model, "s4", Fast(precision="fp32")).eval()

    def plain():
        with torch.inference_mode():
            return model.encoder(x)

    def fast():
        return form.encode(x)

    expected = plain()
    assert (fast() - expected).abs().max() <= 1e-5 * expected.abs().max()
    ratio = paired_ratio(plain, fast, pairs=9)
    benchmark.extra_info["plain / fast"] = round(ratio, 1)
    beside(fast)
    assert ratio >= 2
