"""The memory of a training, before it runs: closed forms for a model whose arithmetic is known, and the verdict they lead to."""

import pytest
import torch
from torch import nn

from vitalbench.config.design import Train
from vitalbench.models import build
from vitalbench.train.activations import Activations, count_activations
from vitalbench.train.memory_plan import plan_memory
from vitalbench.train.strategy import BUCKET

P, N, BATCH = 100_000_000, 8, 64
SETTINGS = Train(epochs=1, batch_size=BATCH, learning_rate=0.1)
NOTHING = Activations(0.0, 0.0)
GPU = {"device": "cuda", "processes": N, "memory_gb": 80.0}


@pytest.mark.parametrize(
    ("strategy", "weights", "gradients", "optimiser"),
    [("ddp", 4, 4, 8), ("zero1", 4, 4, 12 / N), ("zero2", 4, 4 / N, 12 / N), ("zero3", 4 / N, 4 / N, 12 / N)],
)
def test_what_a_strategy_shares_out_is_divided_by_the_processes(configs, strategy, weights, gradients, optimiser):
    target = configs.target("cpu").model_copy(update=GPU | {"strategy": strategy})
    plan = plan_memory(P, NOTHING, SETTINGS, target)
    assert (plan.parameters, plan.gradients, plan.optimiser) == (weights * P, gradients * P, optimiser * P)
    assert plan.buckets == (0 if strategy == "ddp" else 4 * BUCKET)
    assert plan.needed == plan.parameters + plan.gradients + plan.optimiser + plan.buckets


def test_momentum_is_one_state_and_adam_two(configs):
    found = [
        plan_memory(P, NOTHING, SETTINGS.model_copy(update={"optimizer": name}), configs.target("cpu")).needed
        for name in ("sgd", "adam", "adamw")
    ]
    assert found == [12 * P, 16 * P, 16 * P]


def test_offloading_moves_the_optimiser_and_under_zero3_the_weights_to_the_host(configs):
    for strategy, on_host, left in (("zero2", 12 / N, 4 + 4 / N), ("zero3", 16 / N, 4 / N)):
        target = configs.target("cpu").model_copy(update=GPU | {"strategy": strategy, "offload": True})
        plan = plan_memory(P, NOTHING, SETTINGS, target)
        assert plan.on_host == on_host * P
        assert plan.needed == left * P + 4 * BUCKET


def test_activations_count_for_the_records_in_memory_at_once(configs):
    kept = Activations(1000.0, 10.0)
    cases = [({}, None, BATCH), ({}, 8, 8), ({"processes": 4}, None, 16), ({"processes": 4}, 5, 4)]
    for spread, micro_batch, records in cases:
        target = configs.target("cpu").model_copy(update=spread | {"device": "cuda"})
        plan = plan_memory(0, kept, SETTINGS.model_copy(update={"micro_batch": micro_batch}), target)
        assert (plan.records, plan.needed) == (records, 1000 + 10 * records)


def test_processes_on_a_cpu_share_its_memory_and_those_on_gpus_do_not(configs):
    target = configs.target("cpu").model_copy(update={"processes": 2, "memory_gb": 3.0})
    on_cpu = plan_memory(P, NOTHING, SETTINGS, target)
    assert on_cpu.needed == 2 * 16 * P
    assert not on_cpu.fits
    assert plan_memory(P, NOTHING, SETTINGS, target.model_copy(update={"device": "cuda"})).fits


def test_the_line_is_the_arithmetic(configs):
    target = configs.target("cpu").model_copy(update={"memory_gb": 1.0})
    line = plan_memory(P, Activations(0.0, 1e6), SETTINGS, target).line()
    assert line == (
        "memory (one process): (parameters 400 + gradients 400 + optimiser 800 + activations of 64 records 64) MB"
        " = 1.664 GB of 1 GB declared"
    )


def test_activations_of_a_perceptron_are_its_layers_inputs():
    """Each linear layer keeps its input, ReLU its output, which is the next layer's input: 4 (d + h) bytes a record."""
    d, h = 48, 32
    model = nn.Sequential(nn.Linear(d, h), nn.ReLU(), nn.Linear(h, 5))
    assert count_activations(model, (d,), "fp32", recomputing=False) == Activations(0.0, 4.0 * (d + h))


@pytest.mark.parametrize("name", ["s4d", "xresnet1d"])
def test_the_line_through_two_and_three_records_holds_for_thirty(name):
    model = build(name, {}, leads=12, samples=250, classes=5)
    kept = count_activations(model, (12, 250), "fp32", recomputing=False)
    seen: dict[int, torch.UntypedStorage] = {}
    own = {tensor.untyped_storage()._cdata for tensor in [*model.parameters(), *model.buffers()]}

    def note(tensor):
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            seen[storage._cdata] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        model.train()(torch.randn(30, 12, 250))
    assert kept.of(30) == pytest.approx(sum(storage.nbytes() for storage in seen.values()), rel=1e-3)


def test_counting_leaves_the_model_and_the_random_state_as_they_were():
    model = build("xresnet1d", {"layers": [1, 1], "width": 16}, leads=3, samples=100, classes=2).eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    count_activations(model, (3, 100), "bf16", recomputing=True)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not model.training


def test_half_precision_and_recomputing_keep_less():
    model = build("s4d", {}, leads=12, samples=250, classes=5)
    full, half, again = (
        count_activations(model, (12, 250), precision, recomputing).of(64)
        for precision, recomputing in (("fp32", False), ("bf16", False), ("fp32", True))
    )
    assert half < full
    assert again < 0.5 * full
