"""Operations and bytes against closed forms of known layers, and of whole designs."""

import math
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import pytest
import torch
from torch import nn
from torch.nn import functional

from vitalbench import models
from vitalbench.config.fast import Fast
from vitalbench.measure.counting import count
from vitalbench.models.state_space import in_lanes
from vitalbench.train.frozen import FrozenBackbone

BATCH, LEADS, SAMPLES, WIDTH = 8, 12, 250, 64
SIGNALS = (BATCH, LEADS, SAMPLES)


def counted_without_gradient(call):
    with torch.inference_mode():
        return count(call)


LINEAR = 2 * 32 * 100 * 50
CONVOLUTION = 2 * BATCH * WIDTH * SAMPLES * LEADS * 5
LSTM = 2 * BATCH * SAMPLES * 4 * WIDTH * (LEADS + WIDTH)
ATTENTION = 2 * (2 * BATCH * SAMPLES * SAMPLES * WIDTH)


@pytest.mark.parametrize(
    ("layer", "shape", "operator", "flops"),
    [
        (nn.Linear(100, 50), (32, 100), "addmm", LINEAR),
        (nn.Conv1d(LEADS, WIDTH, 5, padding=2), SIGNALS, "convolution", CONVOLUTION),
        (nn.Conv1d(LEADS, LEADS, 5, padding=2, groups=LEADS), SIGNALS, "convolution", 2 * BATCH * LEADS * SAMPLES * 5),
        (nn.LSTM(LEADS, WIDTH, batch_first=True), (BATCH, SAMPLES, LEADS), "mkldnn_rnn_layer", LSTM),
        (nn.ReLU(), SIGNALS, "relu", math.prod(SIGNALS)),
        (nn.BatchNorm1d(LEADS).eval(), SIGNALS, "_native_batch_norm_legit_no_training", math.prod(SIGNALS)),
    ],
)
def test_a_layer_counts_as_its_closed_form(layer, shape, operator, flops):
    x = torch.randn(shape)
    assert counted_without_gradient(lambda: layer(x)).by_operator[operator] == flops


def test_attention_counts_both_of_its_products():
    q, k, v = (torch.randn(BATCH, 1, SAMPLES, WIDTH) for _ in range(3))
    found = counted_without_gradient(lambda: functional.scaled_dot_product_attention(q, k, v))
    assert sum(flops for name, flops in found.by_operator.items() if "attention" in name or name == "bmm") == ATTENTION


def test_a_fourier_transform_counts_five_n_log_n_and_half_of_it_where_one_side_is_real():
    real, points = torch.randn(BATCH, 1024), 5 * 1024 * 10
    assert count(lambda: torch.fft.rfft(real)).by_operator["_fft_r2c"] == BATCH * points / 2
    spectrum = torch.fft.fft(real)
    assert count(lambda: torch.fft.fft(spectrum)).by_operator["_fft_c2c"] == BATCH * points
    half = torch.fft.rfft(real)
    assert count(lambda: torch.fft.irfft(half)).by_operator["_fft_c2r"] == BATCH * points / 2
    assert count(lambda: spectrum * spectrum).flops == 6 * spectrum.numel()


def test_a_backward_pass_counts_a_product_for_each_gradient():
    layer, x = nn.Linear(100, 50, bias=False), torch.randn(32, 100, requires_grad=True)
    found = count(lambda: layer(x).sum().backward())
    assert found.by_operator["mm"] == 3 * LINEAR  # forward, and the gradients of the weights and of the input


def test_bytes_are_what_operators_read_and_write():
    a, b = torch.zeros(1000), torch.zeros(1000)
    assert count(lambda: a + b).bytes == 3 * 4000
    assert count(lambda: a.view(10, 100).t()[0]).bytes == 0
    assert count(lambda: a.expand(7, 1000) + 1.0).bytes == 4000 + 7 * 4000
    assert count(lambda: a.clone()).flops == 0


def test_an_adam_step_counts_its_parameters():
    layer = nn.Linear(100, 50, bias=False)
    optimiser = torch.optim.AdamW(layer.parameters())
    layer.weight.grad = torch.ones_like(layer.weight)
    found = count(optimiser.step)
    assert 8 * 5000 <= found.flops <= 20 * 5000


def test_a_compiled_model_counts_as_the_model_it_was():
    layer, x = nn.Conv1d(LEADS, WIDTH, 5), torch.randn(SIGNALS)
    plain = count(lambda: layer(x)).flops
    layer.compile()
    assert count(lambda: layer(x)).flops == plain


def test_a_network_of_convolutions_counts_the_sum_of_its_layers():
    model = models.build("resnet1d_wang", {}, leads=LEADS, samples=SAMPLES, classes=5).eval()
    expected = []

    def note(layer, inputs, output):
        expected.append(2 * output.numel() * layer.weight[0].numel())

    for layer in model.modules():
        if isinstance(layer, nn.Conv1d | nn.Linear):
            layer.register_forward_hook(note)
    x = torch.randn(SIGNALS)
    found = counted_without_gradient(lambda: model(x))
    products = sum(flops for name, flops in found.by_operator.items() if name in ("convolution", "addmm", "mm"))
    assert products == sum(expected)
    assert found.flops > products


def test_what_a_pool_of_threads_does_is_counted_and_so_is_what_its_threads_hand_on():
    a = torch.randn(64, 64)
    with ThreadPoolExecutor(2) as pool, ThreadPoolExecutor(1) as second:
        pool.submit(int).result()  # a thread that was there before the counter
        assert count(lambda: pool.submit(lambda: a @ a).result()).flops == 2 * 64**3
        assert count(lambda: list(pool.map(torch.mm, [a] * 5, [a] * 5))).flops == 5 * 2 * 64**3
        nested = count(lambda: pool.submit(lambda: second.submit(torch.mm, a, a).result()).result())
        assert (nested.flops, nested.bytes, nested.unseen) == (2 * 64**3, 3 * 4 * 64**2, "")
        assert pool.submit(lambda: a @ a).result().shape == (64, 64)  # nobody counts any more
    assert nested.flops == 2 * 64**3


def test_of_work_that_is_not_seen_no_number_is_told():
    a, go = torch.randn(8, 8), Event()
    assert "starts a thread" in count(lambda: started(lambda: a @ a)).unseen
    with ThreadPoolExecutor(1) as pool:
        assert "ends before the threads" in count(lambda: pool.submit(go.wait)).unseen
        go.set()


def started(target):
    thread = Thread(target=target)
    thread.start()
    thread.join()


@pytest.mark.skipif(in_lanes.in_lanes(torch.zeros(16, 4), 2) is None, reason="no compiler where this was installed")
def test_a_convolution_in_c_counts_its_additions_and_multiplications():
    """A circle of 4 by hand: 6 for the complex number modulo w - i, then 2, 1, 1 and 2, and a sum for each sample."""
    assert in_lanes.flops(2, 4) == 12 + 2
    for size, executed in (
        (8, 56),
        (64, 1192),
        (512, 16136),
        (2048, 81928),
    ):  # by in_lanes.c itself, its numbers made to count
        assert in_lanes.flops(size // 2, size) == executed
    for size in (2**power for power in range(3, 12)):
        circles, samples, records = torch.randn(16, size), size // 2, 3
        convolve = in_lanes.in_lanes(circles, samples)
        u = torch.randn(records, samples, 16)
        found = count(lambda convolve=convolve, u=u: convolve(u, torch.bfloat16))
        assert found.flops == records * 16 * in_lanes.flops(samples, size)
        rings = max(size // 4 - 1, 1)  # parted, six numbers of an angle each
        assert found.bytes == 6 * u.numel() + 4 * circles.numel() + 24 * rings  # u of fp32, y of bf16


FROZEN = {"width": 32, "depth": 2, "state": 8, "hidden": None}
FOUR_OF_C = 2 * FROZEN["depth"]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_frozen_encoder_counts_as_its_closed_form_on_any_number_of_threads(threads, precision):
    model, width = models.build("s4", FROZEN, leads=LEADS, samples=SAMPLES, classes=5), FROZEN["width"]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        frozen, x = FrozenBackbone(model, "s4", Fast(precision=precision)).eval(), torch.randn(SIGNALS)
        found = count(lambda: frozen.encode(x))
    finally:
        torch.set_num_threads(before)
    of_a_sample = width * LEADS + FROZEN["depth"] * (6 * width**2 + 2 * 4 * width**2 + width**2)
    products = 2 * BATCH * (SAMPLES * of_a_sample + FROZEN["depth"] * width**2)  # the last map is of a mean
    assert found.by_operator["mm"] + found.by_operator["addmm"] == products
    assert found.unseen == ""
    if in_lanes.in_lanes(torch.zeros(16, 4), 2):
        convolutions = FOUR_OF_C * BATCH * 2 * width * in_lanes.flops(SAMPLES, 512)
        assert found.by_operator["convolve"] == convolutions
        elements = FOUR_OF_C * BATCH * SAMPLES * 2 * width
        if precision == "bf16":
            assert found.by_operator["norm_"] == 3 * elements
        assert found.by_operator["gelu_"] == elements
