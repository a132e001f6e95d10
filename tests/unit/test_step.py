"""A step takes a batch as the design and the target say, and what only says how changes nothing of what it computes."""

import numpy as np
import pytest
import torch
from torch import nn

from vitalbench.config.design import Train
from vitalbench.models import build
from vitalbench.train.context import TrainingFailure
from vitalbench.train.engine import prepare_torch
from vitalbench.train.pretext.contrastive import NtXent
from vitalbench.train.pretext.masked import MaskedModel, own_loss
from vitalbench.train.recompute import recompute_blocks
from vitalbench.train.step import make_step

SETTINGS = Train(epochs=1, batch_size=32, learning_rate=0.01, clip_norm=1.0)
MODELS = {
    "s4d": {"width": 16, "depth": 2, "state": 8, "dropout": 0.0},
    "s4d-dropout": {"width": 16, "depth": 2, "state": 8, "dropout": 0.3},
    "xresnet1d": {"layers": [1, 1], "width": 16, "dropout": 0.3},
}


def model_of(name: str) -> nn.Module:
    return build(name.split("-")[0], MODELS[name], leads=3, samples=100, classes=4)


def batch(records: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(records, 3, 100)).astype(np.float32)
    return torch.from_numpy(x), torch.from_numpy(rng.integers(0, 2, (records, 4)).astype(np.float32))


def stepped(
    configs,
    name="s4d",
    model=None,
    steps=2,
    records=32,
    precision="fp32",
    micro_batch=None,
    kind="multilabel",
    **switches,
):
    """A step after `steps` steps, and the loss of each."""
    target = configs.target("cpu").model_copy(update=switches)
    settings = SETTINGS.model_copy(update={"precision": precision, "micro_batch": micro_batch})
    accelerator = prepare_torch(target, 0, precision)
    step = make_step(accelerator, model or model_of(name), settings, kind, target)
    step.model.train()
    return step, [float(step(*batch(records, seed))) for seed in range(steps)]


def weights(step) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in step.model.state_dict().items()}


def gradients(step) -> list[torch.Tensor]:
    return [parameter.grad.clone() for parameter in step.model.parameters()]


def assert_close(one, other, rtol, atol):
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=rtol, atol=atol)


@pytest.mark.parametrize(("records", "micro_batch"), [(32, 8), (32, 32), (33, 8), (7, 3)])
def test_gradients_of_micro_batches_are_those_of_the_whole_batch(configs, records, micro_batch):
    whole, losses = stepped(configs, records=records, steps=1)
    parts, accumulated = stepped(configs, records=records, steps=1, micro_batch=micro_batch)
    assert accumulated == pytest.approx(losses, rel=1e-6)
    for one, other in zip(gradients(whole), gradients(parts), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_a_micro_batch_counts_by_its_records(configs):
    """A mean of the parts' means would weigh the records of a short part more: it is another number here."""
    x, y = batch(7)
    step, _ = stepped(configs, records=7, steps=0, micro_batch=4)
    step.model.eval()
    with torch.no_grad():
        each = [float(step.loss(step.model(x[part]), y[part])) for part in (slice(0, 4), slice(4, 7))]
    found = float(step(x, y))
    assert found == pytest.approx((4 * each[0] + 3 * each[1]) / 7, rel=1e-6)
    assert found != pytest.approx(np.mean(each), rel=1e-6)


@pytest.mark.parametrize("name", ["s4d-dropout", "xresnet1d"])
def test_checkpointing_changes_no_byte(configs, name):
    """Dropout draws the same masks again, and running statistics move once."""
    plain, losses = stepped(configs, name, steps=3)
    again, recomputed = stepped(configs, name, steps=3, gradient_checkpointing=True)
    assert recomputed == losses
    assert all(torch.equal(a, b) for a, b in zip(gradients(plain), gradients(again), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(weights(plain).values(), weights(again).values(), strict=True))
    assert weights(plain).keys() == weights(again).keys()


def test_checkpointing_computes_the_blocks_twice():
    model = model_of("s4d")
    calls = []
    model.encoder.layers[0].space.register_forward_hook(lambda *_: calls.append(1))
    assert recompute_blocks(model) == 2
    model.train()(batch(4)[0]).sum().backward()
    assert len(calls) == 2


def masked(samples: int = 60) -> MaskedModel:
    torch.manual_seed(0)
    encoder = build("s4", {"width": 4, "depth": 3, "state": 4}, leads=3, samples=samples, classes=1).encoder
    return MaskedModel(encoder, 3, 10, 0.5).eval()


def test_the_blocks_of_an_encoder_that_is_asked_without_labels_are_computed_twice_too():
    found = []
    for again in (False, True):
        model = masked()
        if again:
            assert recompute_blocks(model) == 3
        model.encoder.blocks.train()
        model(batch(4)[0][:, :, :60]).sum().backward()
        found.append([parameter.grad for parameter in model.parameters() if parameter.grad is not None])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_processes_look_for_the_parameters_that_reach_no_output(configs, tmp_path):
    """Without that a second step of S4, whose last block carries nothing on, ends in an error of DDP's."""
    target = configs.target("cpu")
    accelerator = prepare_torch(target, 0)
    make_step(accelerator, model_of("s4d"), SETTINGS, "multilabel", target)
    assert not accelerator.ddp_handler.find_unused_parameters
    make_step(accelerator, masked(), SETTINGS, own_loss, target)
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        spread = nn.parallel.DistributedDataParallel(masked(), **accelerator.ddp_handler.to_kwargs())
        for _ in range(2):
            spread(batch(4)[0][:, :, :60]).sum().backward()
    finally:
        torch.distributed.destroy_process_group()


def test_a_model_without_blocks_cannot_be_checkpointed():
    with pytest.raises(ValueError, match="no sequence of blocks"):
        recompute_blocks(nn.Linear(2, 2))


def test_bf16_leaves_weights_in_fp32_and_losses_near(configs):
    full, losses = stepped(configs)
    half, found = stepped(configs, precision="bf16")
    assert np.isfinite(found).all()
    assert found == pytest.approx(losses, rel=0.02)  # bf16 keeps 8 bits: 0.4 % a product
    assert found != losses
    assert {tensor.dtype for tensor in weights(half).values()} == {torch.float32}
    assert weights(full).keys() == weights(half).keys()
    with torch.inference_mode():
        x, _ = batch(16, seed=9)
        p = [step.model.eval()(x).sigmoid() for step in (full, half)]
    assert p[1].dtype == torch.float32
    assert (p[0] - p[1]).abs().max() < 0.02


class Greedy(nn.Module):
    """Runs out of memory above `most` records; its dropout and batch norm remember what a failed attempt did to them."""

    def __init__(self, most: int, kind: type[BaseException] = torch.OutOfMemoryError) -> None:
        super().__init__()
        self.most, self.kind, self.seen = most, kind, []
        self.norm, self.drop, self.line = nn.BatchNorm1d(3, momentum=None), nn.Dropout(0.5), nn.Linear(3, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.append(len(x))
        y = self.line(self.drop(self.norm(x.mean(dim=2))))
        if len(x) > self.most:
            raise self.kind("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        return y


@pytest.mark.parametrize("kind", [torch.OutOfMemoryError, RuntimeError])
def test_out_of_memory_halves_the_micro_batch_at_the_same_batch(configs, kind):
    torch.manual_seed(1)
    greedy = Greedy(10, kind)
    step, losses = stepped(configs, model=greedy)
    assert greedy.seen == [32, 16, 8, 8, 8, 8, 8, 8, 8, 8]
    assert (step.micro_batch, step.halved) == (8, 2)
    torch.manual_seed(1)
    modest, expected = stepped(configs, model=Greedy(10), micro_batch=8)
    assert losses == expected
    assert all(torch.equal(a, b) for a, b in zip(weights(step).values(), weights(modest).values(), strict=True))


def test_what_does_not_fit_in_the_least_micro_batch_fails_in_one_line(configs):
    with pytest.raises(TrainingFailure, match="out of memory with 2 records at once"):
        stepped(configs, model=Greedy(1))  # batch norm has no statistics of one record


def test_a_loss_of_the_whole_batch_is_not_taken_of_parts(configs):
    """In parts NT-Xent is another loss: fewer others to be told apart from."""
    with pytest.raises(
        TrainingFailure, match="out of memory with 32 records at once, and this loss tells the records of a batch apart"
    ):
        stepped(configs, model=Greedy(10), kind=NtXent(0.1, "record"))


def test_any_other_error_of_a_model_is_its_own(configs):
    class Wrong(Greedy):
        def forward(self, x):
            raise RuntimeError("shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        stepped(configs, model=Wrong(1))


def test_a_loss_that_is_not_finite_updates_nothing(configs):
    step, _ = stepped(configs, steps=0, micro_batch=8)
    before = weights(step)
    x, y = batch(32)
    x[17] = float("nan")
    assert not torch.isfinite(step(x, y))
    assert all(torch.equal(a, b) for a, b in zip(before.values(), weights(step).values(), strict=True))


@pytest.mark.slow
def test_compilation_changes_rounding_alone(configs):
    plain, losses = stepped(configs)
    compiled, found = stepped(configs, compile=True)
    assert found == pytest.approx(losses, rel=1e-5)
    assert_close(weights(plain), weights(compiled), rtol=1e-2, atol=1e-3)
