"""What an encoder is asked without labels: losses with known values, and questions that give nothing away."""

import math

import pytest
import torch

from vitalbench.config.design import PRETRAINING, Model
from vitalbench.config.model_options import model_names, model_shape
from vitalbench.models import axes, build
from vitalbench.models.layers.encoding import Encoding
from vitalbench.train.losses import loss_function
from vitalbench.train.pretext.contrastive import ContrastiveModel, nt_xent
from vitalbench.train.pretext.masked import MaskedModel, blanked
from vitalbench.train.pretext.order import OrderModel, exchanged
from vitalbench.train.stepped import stepped

SMALL = {
    "inception1d": {"filters": 4, "bottleneck": 4, "residuals": 1},
    "lstm1d": {"width": 4, "depth": 1},
    "resnet1d_wang": {"width": 8},
    "resnet2d": {"layers": [1, 1], "filters": 4, "block": "basic"},
    "s4": {"width": 4, "depth": 1, "state": 4, "hidden": None},
    "s4d": {"width": 4, "depth": 1, "state": 4},
    "xresnet1d": {"layers": [1, 1], "width": 8},
}


def encoder(samples: int = 100):
    torch.manual_seed(0)
    return build("s4", {"width": 8, "depth": 1, "state": 4}, leads=2, samples=samples, classes=1).encoder


def record_of(name: str) -> tuple[int, ...]:
    """A shape that no stride divides, of what a model takes."""
    return (2, 130) if model_shape(name) == "signal" else (2, 38, 45)


def strangers(records: int) -> torch.Tensor:
    return torch.arange(records).float()[:, None]


@pytest.mark.parametrize("records", [2, 5, 128])
@pytest.mark.parametrize("rule", ["record", "patient"])
def test_views_that_are_all_alike_are_at_chance(records, rule):
    """ln(2N - 1), at any temperature: one of 2N - 1 others is the right one."""
    views = torch.ones(records, 2, 7)
    for temperature in (1e-3, 0.1, 10.0):
        found = nt_xent(views, strangers(records), temperature, rule)
        assert float(found) == pytest.approx(math.log(2 * records - 1), rel=1e-5)


def test_nt_xent_is_the_plain_sum():
    """Chen et al.'s equation 1, an exponential at a time, in float64."""
    torch.manual_seed(0)
    views, temperature = torch.randn(4, 2, 5), 0.5
    flat = torch.cat([views[:, 0], views[:, 1]]).double()
    alike = [[float(a @ b / a.norm() / b.norm()) for b in flat] for a in flat]
    plain = 0.0
    for i in range(8):
        others = sum(math.exp(alike[i][k] / temperature) for k in range(8) if k != i)
        plain -= math.log(math.exp(alike[i][(i + 4) % 8] / temperature) / others) / 8
    assert float(nt_xent(views, strangers(4), temperature, "record")) == pytest.approx(plain, rel=1e-5)


def test_nt_xent_overflows_at_no_temperature():
    views = torch.randn(6, 2, 5).requires_grad_()
    loss = nt_xent(views, strangers(6), 1e-6, "record")  # far under the least that may be configured
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(views.grad).all()


def test_a_patients_other_records_are_no_strangers():
    """Under `record` they do not count; under `patient` they are to be alike too."""
    torch.manual_seed(0)
    views = torch.randn(3, 2, 4)
    same = torch.tensor([[0.0], [0.0], [1.0]])
    record = nt_xent(views, same, 0.5, "record")
    assert float(record) != pytest.approx(float(nt_xent(views, strangers(3), 0.5, "record")))
    alike, unlike = views.clone(), views.clone()
    alike[1], unlike[1] = views[0], -views[0]
    assert nt_xent(alike, same, 0.5, "patient") < nt_xent(unlike, same, 0.5, "patient")


def test_a_record_alone_has_nobody_to_be_told_from():
    assert float(nt_xent(torch.randn(1, 2, 4), strangers(1), 0.1, "record")) == 0.0


def test_views_differ_in_training_and_are_the_same_in_validation():
    model = ContrastiveModel(encoder(), 10, 0.5)
    x = torch.randn(3, 2, 100)
    assert model(x).shape == (3, 2, 64)
    assert not torch.equal(model.train()(x), model(x))
    assert torch.equal(model.eval()(x), model(x))
    views = model(x)
    assert not torch.allclose(views[:, 0], views[:, 1])


def test_halves_are_exchanged_where_asked_and_the_seam_is_blank_either_way():
    x = torch.arange(1.0, 22.0).repeat(2, 1, 1)
    found = exchanged(x, torch.tensor([False, True]), 4)
    assert found[0, 0].tolist() == [*range(1, 9), 0, 0, 0, 0, *range(13, 22)]
    assert found[1, 0].tolist() == [*range(11, 19), 0, 0, 0, 0, *range(3, 11), 21]
    assert x[0, 0, 9] == 10


def test_not_knowing_the_order_costs_ln_2():
    model = OrderModel(encoder(), 4).eval()
    torch.nn.init.zeros_(model.decider.weight)
    torch.nn.init.zeros_(model.decider.bias)
    assert model(torch.randn(5, 2, 100)).tolist() == pytest.approx([math.log(2)] * 5)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_something_is_always_blanked_and_something_left(share):
    mask = blanked(5, (100,), 40, share)
    assert set(mask.flatten(1).sum(dim=1).tolist()) == {40}


def test_blanks_are_whole_spans_of_the_share_asked_for():
    mask = blanked(200, (1003,), 50, 0.5)
    assert mask.shape == (200, 1, 1003)
    assert (mask.sum(dim=(1, 2)) == 500).all()
    assert not mask[:, :, 1000:].any()
    assert not torch.equal(mask[0], mask[1])


def test_a_coarse_step_gives_all_of_its_samples_in_order():
    model = MaskedModel(build("resnet1d_wang", {"width": 4}, leads=2, samples=100, classes=1).encoder, 2, 10, 0.3)
    steps = torch.arange(24.0).reshape(1, 8, 3)  # two leads of four samples a step
    assert model._samples(steps, 2)[0, 1].tolist() == [12, 15, 18, 21, 13, 16, 19, 22, 14, 17, 20, 23]


def test_only_what_was_blanked_is_asked_for(monkeypatch):
    """An encoder that gives back all that it is shown fails on the blanks alone, by their mean square."""
    model = MaskedModel(encoder(), 2, 10, 0.3).eval()
    model.decoder = torch.nn.Identity()
    monkeypatch.setattr(model.encoder, "sequence", lambda x: x)
    x = torch.randn(4, 2, 100)
    mask = blanked(4, (100,), 10, 0.3, torch.Generator().manual_seed(0)).expand_as(x)
    plain = torch.stack([x[i][mask[i]].square().mean() for i in range(4)])
    assert torch.allclose(model(x), plain)
    assert torch.equal(model(x), model(x))


@pytest.mark.parametrize("recipe", PRETRAINING)
@pytest.mark.parametrize("name", model_names())
def test_any_model_is_asked_without_labels(configs, name, recipe):
    """Of a length that no stride divides: a loss, and a gradient of the encoder."""
    torch.manual_seed(0)
    about = {"model": Model(name=name, options=SMALL[name]), "recipe": recipe}
    design = configs.design("s4-12x128-masked", "small").model_copy(update=about)
    shape = record_of(name)
    if len(shape) == 3 and recipe == "temporal-order":
        pytest.skip("the plan refuses it: no axis of an image is time")
    model = build(name, SMALL[name], classes=3, **axes(shape))
    made = stepped(design, model, shape, 100 if len(shape) == 2 else 0, "multilabel", torch.device("cpu"))
    asked = strangers(4) if made.patients else torch.zeros(4, 3)
    loss = loss_function(made.asked)(made.trained.train()(torch.randn(4, *shape)), asked)
    loss.backward()
    assert 0 < loss.item() < math.inf
    without = [parameter.grad is None for parameter in model.encoder.parameters()]
    assert any(without) == model.encoder.idle
    assert not all(without)


@pytest.mark.parametrize("name", model_names())
def test_an_encoder_is_as_wide_and_as_coarse_as_it_says(name):
    shape = record_of(name)
    encoder = build(name, SMALL[name], classes=3, **axes(shape)).eval().encoder
    assert isinstance(encoder, Encoding)
    x = torch.randn(3, *shape)
    assert encoder(x).shape == (3, encoder.features)
    assert encoder.sequence(x).shape == (3, encoder.channels, *(-(-side // encoder.stride) for side in shape[1:]))


def test_squares_of_an_image_are_blanked_whole_and_as_many_of_each():
    mask = blanked(50, (21, 34), 5, 0.25, torch.Generator().manual_seed(1))
    assert mask.shape == (50, 1, 21, 34)
    squares = mask[:, 0, :20, :30].reshape(50, 4, 5, 6, 5).float().mean(dim=(2, 4))
    assert set(squares.unique().tolist()) == {0.0, 1.0}
    assert (squares.sum(dim=(1, 2)) == 6).all()  # a quarter of 24
    assert not mask[:, 0, 20:].any()
    assert not mask[:, 0, :, 30:].any()


def test_a_masked_model_of_images_is_asked_what_stood_in_the_squares():
    """An encoder that gives nothing back leaves the mean square of what was blanked."""
    torch.manual_seed(0)
    encoder = build("resnet2d", SMALL["resnet2d"], classes=1, channels=1, height=24, width=24).encoder
    model = MaskedModel(encoder, 1, 8, 0.3, 2).eval()
    torch.nn.init.zeros_(model.decoder.weight)
    torch.nn.init.zeros_(model.decoder.bias)
    x = torch.randn(4, 1, 24, 24)
    mask = blanked(4, (24, 24), 8, 0.3, torch.Generator().manual_seed(0))
    plain = torch.stack([x[i][mask[i]].square().mean() for i in range(4)])
    assert torch.allclose(model(x), plain)
