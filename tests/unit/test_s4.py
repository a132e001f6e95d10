"""S4 is the published block: its counts, its kernels as powers of a matrix, its convolution as a sum; and its frozen form."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from vitalbench.config.fast import Fast
from vitalbench.models import build, parameter_count
from vitalbench.models.frozen.records import FewAtATime
from vitalbench.models.layers.normed_sum import normed_sum
from vitalbench.models.state_space import in_lanes as in_lanes_module
from vitalbench.models.state_space.convolution import convolve, joined
from vitalbench.models.state_space.hippo import decomposed, legs
from vitalbench.models.state_space.in_lanes import in_lanes
from vitalbench.models.state_space.kernel import HippoKernels
from vitalbench.train.frozen import FrozenBackbone

LEADS, SAMPLES = 8, 1000


@pytest.mark.parametrize(
    ("design", "parameters", "with_buffers"),
    [("s4-12x128", 4_004_613, 5_631_717), ("s4-36x256", 42_758_149, 52_376_485)],
)
def test_the_counts_of_report_002_come_out_exactly(configs, design, parameters, with_buffers):
    """5,631,717 is what the report calls `Total Parameters`: with the fixed buffers."""
    model = configs.design(design, "full").model
    made = build(model.name, model.options, leads=LEADS, samples=SAMPLES, classes=5)
    assert parameter_count(made) == parameters
    assert sum(tensor.numel() for tensor in made.state_dict().values()) == with_buffers


@pytest.mark.parametrize("state", [2, 8, 64])
def test_hippo_is_a_normal_matrix_minus_one_of_rank_one(state):
    a, b = legs(state)
    system = decomposed(state)
    vectors = np.concatenate([system.vectors, system.vectors.conj()], axis=1)
    poles = np.concatenate([system.poles, system.poles.conj()])
    low_rank = vectors.conj().T @ np.sqrt(np.arange(state) + 0.5)
    rebuilt = vectors @ (np.diag(poles) - np.outer(low_rank, low_rank.conj())) @ vectors.conj().T
    assert np.abs(rebuilt - a).max() < 1e-10 * np.abs(a).max()
    assert np.allclose(2 * (system.vectors @ system.inputs).real, b)


@pytest.mark.parametrize("samples", [16, 17, 40])
def test_a_kernel_is_its_powers_of_the_discretised_matrix(samples):
    """k[l] = C A_d^l B_d in float64, a power at a time, with C = output (1 - A_d^samples)^-1 in HiPPO's own basis."""
    torch.manual_seed(0)
    state, features = 8, 3
    kernels = HippoKernels(features, state, samples).double()
    a, b = legs(state)
    identity, vectors = np.eye(state), decomposed(state).vectors
    with torch.no_grad():
        found = kernels().numpy()
        output = torch.view_as_complex(kernels.output).numpy()
        steps = kernels.log_step.exp().numpy()
    for feature, step in enumerate(steps):
        forward = np.linalg.inv(identity - step / 2 * a)
        a_d, b_d = forward @ (identity + step / 2 * a), forward @ (step * b)
        for direction in range(2):
            truncated = 2 * (output[direction, feature] @ vectors.conj().T).real
            c = truncated @ np.linalg.inv(identity - np.linalg.matrix_power(a_d, samples))
            plain = [c @ np.linalg.matrix_power(a_d, power) @ b_d for power in range(samples)]
            # Single precision constants bound the agreement.
            assert np.allclose(found[direction, feature], plain, rtol=1e-4, atol=1e-5 * np.abs(plain).max())


def test_the_convolution_looks_back_and_ahead():
    rng = np.random.default_rng(0)
    u, kernels = rng.standard_normal((2, 3, 12)), rng.standard_normal((2, 3, 12))
    plain = np.zeros_like(u)
    for i in range(12):
        for m in range(12):
            if m <= i:
                plain[:, :, i] += kernels[0, :, m] * u[:, :, i - m]
            if i + m + 1 < 12:
                plain[:, :, i] += kernels[1, :, m] * u[:, :, i + m + 1]
    assert np.allclose(convolve(torch.from_numpy(u), torch.from_numpy(kernels)).numpy(), plain)


@pytest.mark.parametrize("lanes", [8, 16])
@pytest.mark.parametrize(
    ("samples", "size"),
    [(1, 4), (2, 4), (3, 8), (5, 16), (16, 32), (60, 128), (129, 512), (500, 1024), (1000, 4096), (2500, 8192)],
)
def test_the_convolution_in_lanes_is_the_plain_one(samples, size, lanes):
    """Of every circle down to the least, full or not, to single precision; and of records one after another."""
    generator = torch.Generator().manual_seed(samples)
    u = torch.randn(2, samples, 48, generator=generator)
    kernels = torch.randn(2, 48, samples, generator=generator)
    convolution = in_lanes(joined(kernels, size), samples, lanes)
    assert convolution is not None
    plain = convolve(u.transpose(1, 2).double(), kernels.double()).transpose(1, 2)
    found = convolution(u, torch.float32)
    assert (found - plain).abs().max() <= 1e-6 * plain.abs().max()
    assert torch.equal(convolution(u, torch.bfloat16), found.bfloat16())
    u[1, 0, 3] = float("nan")
    spoilt = convolution(u, torch.bfloat16).isnan()
    assert spoilt[1, :, 3].all()
    assert not spoilt[0].any()


@pytest.mark.parametrize("lanes", [8, 16])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("features", [48, 20])
def test_the_norm_of_a_sum_is_torchs_own(features, dtype, lanes):
    generator = torch.Generator().manual_seed(features)
    norm = torch.nn.LayerNorm(features)
    with torch.no_grad():
        for parameter in norm.parameters():
            parameter += torch.randn(features, generator=generator)
        u, added = (3 + torch.randn(2, 7, features, generator=generator) for _ in range(2))
        bias, added = torch.randn(features, generator=generator), added.to(dtype)
        plain = norm(u.clone() + added.float() + bias)
        found = normed_sum(u.clone(), added, bias, norm, lanes)
    assert (found - plain).abs().max() <= 2e-6 * plain.abs().max()


def test_features_that_fill_no_lanes_are_left_to_others():
    assert in_lanes(torch.zeros(12, 16), 8, 8) is None


@pytest.fixture(scope="module")
def tiny():
    """A small model, its encoder away from what it was drawn as, and signals for it."""
    torch.manual_seed(0)
    model = build("s4", {"width": 16, "depth": 3, "state": 16, "hidden": 8}, leads=LEADS, samples=500, classes=5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    return model.eval(), torch.randn(6, LEADS, 500)


def frozen(tiny, **fast):
    model, x = tiny
    backbone = FrozenBackbone(model, "s4", Fast(**fast)).eval()
    with torch.no_grad():
        return backbone.encode(x), model.encoder(x)


@pytest.mark.parametrize("in_cache", [True, False])
@pytest.mark.parametrize("compiled", [True, False])
def test_the_frozen_form_agrees_with_the_plain_encoder(tiny, in_cache, compiled, monkeypatch):
    """To 1e-5 of the features' size, in fp32, also where there is no compiler."""
    if not compiled:
        monkeypatch.setattr(in_lanes_module, "_LOOPS", {8: None, 16: None})
    found, plain = frozen(tiny, in_cache=in_cache, precision="fp32")
    assert (found - plain).abs().max() <= 1e-5 * plain.abs().max()


def test_the_features_of_a_record_are_the_same_bytes_whatever_the_batch_and_the_threads(tiny):
    model, x = tiny
    threads, found = torch.get_num_threads(), []
    for count in (2, 1):
        torch.set_num_threads(count)
        form = FrozenBackbone(model, "s4", Fast(precision="fp32")).eval()
        found += [form.encode(x), torch.cat([form.encode(one[None]) for one in x])]
        assert torch.get_num_threads() == count
        assert ThreadPoolExecutor(1).submit(torch.get_num_threads).result() == count  # of whoever begins later
    torch.set_num_threads(threads)
    assert all(torch.equal(found[0], other) for other in found[1:])


def test_what_fails_in_a_thread_is_told_by_the_call():
    def short_of_memory(_):
        raise torch.OutOfMemoryError("of one record")

    with pytest.raises(torch.OutOfMemoryError, match="of one record"):
        FewAtATime(short_of_memory)(torch.zeros(3, 1))


def test_bf16_costs_what_its_eight_bits_are_worth(tiny):
    found, plain = frozen(tiny, precision="bf16")
    error = (found - plain).norm() / plain.norm()
    assert 1e-5 < error < 0.03


def test_nothing_said_of_speed_leaves_the_encoder_itself(tiny):
    found, plain = frozen(tiny, kernels=False, in_cache=False, precision="fp32")
    assert torch.equal(found, plain)


def test_a_step_of_the_frozen_model_trains_the_head_alone(tiny):
    model, x = tiny
    backbone = FrozenBackbone(model, "s4", Fast()).train()
    backbone(x).sum().backward()
    assert {name for name, tensor in backbone.named_parameters() if tensor.grad is not None} == {
        f"head.{name}" for name, _ in model.head.named_parameters()
    }
    assert not backbone.encoder.training
