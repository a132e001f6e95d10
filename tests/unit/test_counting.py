"""Operations and bytes against closed forms of known layers, and of whole designs."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from vitalbench import models
from vitalbench.measure.counting import count

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
