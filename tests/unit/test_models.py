"""Every architecture is the published one: its parameter count, its shapes, and for S4D its recurrence."""

import pytest
import torch

from tests.conftest import ROOT
from vitalbench.config.model_options import model_names, model_shape
from vitalbench.models import axes, build, parameter_count
from vitalbench.models.layers.long_convolution import long_convolution
from vitalbench.models.s4d import DiagonalStateSpace
from vitalbench.train.batches import seen
from vitalbench.train.engine import make_step, prepare_torch
from vitalbench.train.stepped import stepped


def full_size(configs):
    for name in configs.names("designs"):
        design = configs.design(name, "full")
        if design.model:
            yield name, design


def take_a_step(configs, chosen) -> set[str]:
    """Each design's own step, as training takes it, at batch two; returns the designs that took one."""
    of_shape = {"signal": configs.dataset("ptbxl"), "image": configs.dataset("chestxray14-64")}
    task, target = configs.task("all"), configs.target("cpu")
    taken = set()
    for name, design in full_size(configs):
        if not chosen(design):
            continue
        dataset = of_shape[model_shape(design.model.name)]
        shape, _ = seen(design, dataset.shape)
        accelerator = prepare_torch(target, 0)
        model = build(design.model.name, design.model.options, classes=71, **axes(shape))
        made = stepped(design, model, shape, dataset.shape.rate_hz, task.kind, accelerator.device)
        step = make_step(accelerator, made.trained, design.train, made.asked, target)
        before = [parameter.detach().clone() for parameter in made.trained.parameters()]
        targets = torch.tensor([[0.0], [1.0]]) if made.patients else torch.ones(2, 71)
        loss = float(step(torch.randn(2, *made.shape), targets))
        assert loss == loss
        assert any(not torch.equal(a, b) for a, b in zip(before, made.trained.parameters(), strict=True)), name
        taken.add(name)
    return taken


def test_every_full_size_design_takes_a_step_at_batch_two(configs):
    taken = take_a_step(configs, lambda design: design.model.name != "s4")
    assert {"xresnet1d101", "s4d", "shuffled-labels"} <= taken


@pytest.mark.slow
def test_the_larger_designs_take_a_step_at_batch_two_too(configs):
    taken = take_a_step(configs, lambda design: design.model.name == "s4")
    assert {"s4-12x128", "s4-36x256-plain", "s4-12x128-masked"} <= taken


def test_every_full_size_design_has_its_published_parameter_count(configs):
    checked = []
    for name, design in full_size(configs):
        if design.published is None:
            continue
        stated = design.published
        space = (250,) if model_shape(design.model.name) == "signal" else (32, 32)
        shape = axes((stated.leads, *space))
        model = build(design.model.name, design.model.options, classes=stated.classes, **shape)
        assert parameter_count(model) == stated.parameters, name
        checked.append(name)
    assert {"xresnet1d101", "s4d", "resnet50"} <= set(checked)


def test_the_shuffled_control_is_the_same_network_and_recipe(configs):
    for size in ("small", "full"):
        design, control = configs.design("xresnet1d101", size), configs.design("shuffled-labels", size)
        assert control.model == design.model
        assert control.window == design.window
        assert control.train == design.train.model_copy(update={"shuffle_labels": True})


@pytest.mark.parametrize("name", [name for name in model_names() if model_shape(name) == "image"])
def test_any_size_and_any_number_of_channels_and_classes(name):
    for channels, height, width, classes in ((1, 64, 48, 1), (3, 33, 70, 7)):
        model = build(name, {}, channels=channels, height=height, width=width, classes=classes).eval()
        assert model(torch.randn(2, channels, height, width)).shape == (2, classes)


@pytest.mark.parametrize("name", [name for name in model_names() if model_shape(name) == "signal"])
def test_any_length_and_any_number_of_leads_and_classes(name):
    for leads, samples, classes in ((1, 130, 1), (8, 1000, 7)):
        model = build(name, {}, leads=leads, samples=samples, classes=classes).eval()
        assert model(torch.randn(2, leads, samples)).shape == (2, classes)


@pytest.mark.parametrize("samples", [1, 4, 7])
def test_the_long_convolution_is_the_sum_and_has_its_gradient(samples):
    u = torch.randn(3, 2, samples, dtype=torch.float64, requires_grad=True)
    kernel = torch.randn(2, samples, dtype=torch.float64, requires_grad=True)
    y = long_convolution(u, kernel)
    for i in range(samples):
        term = sum(kernel[:, m] * u[:, :, i - m] for m in range(i + 1))
        assert torch.allclose(y[:, :, i], term, atol=1e-12)
    assert torch.autograd.gradcheck(long_convolution, (u, kernel))


def test_the_s4d_convolution_is_its_recurrence():
    """x' = exp(dt A) x + (exp(dt A) - 1) / A u, y = 2 Re C x + D u, a step at a time."""
    torch.manual_seed(0)
    space = DiagonalStateSpace(width=3, state=8).double()
    u = torch.randn(2, 3, 40, dtype=torch.float64)
    with torch.no_grad():
        pole = torch.complex(-space.log_decay.exp(), space.frequency)
        step = torch.exp(pole * space.log_dt.exp()[:, None])
        gain = (step - 1) / pole
        output = torch.view_as_complex(space.output)
        state = torch.zeros(2, 3, 4, dtype=torch.complex128)
        plain = torch.empty_like(u)
        for at in range(u.shape[-1]):
            state = step * state + gain * u[..., at, None]
            plain[..., at] = 2 * (output * state).sum(-1).real + space.skip * u[..., at]
        assert torch.allclose(space(u), plain, atol=1e-10)


def test_what_the_small_form_of_a_resnet_is_stands_beside_its_scores(configs):
    design = configs.design("resnet50", "small")
    small = build(design.model.name, design.model.options, classes=14, **axes((1, 64, 64)))
    methods = (ROOT / "docs/METHODS.md").read_text()
    section = methods[methods.index("## Chest radiographs") :].split("\n## ")[0]
    assert f"{parameter_count(small):,} parameters" in section
    assert "no ResNet-50" in section
    assert "published, release" not in section
    assert "no ResNet-50" in (ROOT / "README.md").read_text()


def test_slow_parameters_are_capped_and_not_decayed(configs):
    from vitalbench.train.optimiser import make_optimiser

    design = configs.design("s4d", "small")
    model = build("s4d", design.model.options, leads=12, samples=250, classes=5)
    groups = make_optimiser(model, design.train).param_groups
    rates = {(group["lr"], group["weight_decay"]) for group in groups}
    assert rates == {(0.01, 0.01), (0.001, 0.0)}
