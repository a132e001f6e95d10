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


@pytest.mark.parametrize(
    "layer", [nn.Conv1d(12, 24, 5, groups=4), nn.ConvTranspose1d(12, 24, 5, groups=4), nn.Conv1d(12, 24, 5)]
)
def test_a_convolutions_gradients_each_count_as_its_forward_pass_whatever_its_groups(layer):
    x = torch.randn(4, 12, 503, requires_grad=True)
    places = x.numel() if isinstance(layer, nn.ConvTranspose1d) else layer(x).numel()
    forward = 2 * places * layer.weight[0].numel()
    found = count(lambda: layer(x).sum().backward()).by_operator
    assert (found["convolution"], found["convolution_backward"]) == (forward, 2 * forward)
    first = count(lambda: layer(x.detach()).sum().backward()).by_operator  # no gradient of the input is asked for
    assert first["convolution_backward"] == forward


MAPS = 2 * BATCH * SAMPLES * WIDTH * 4 * WIDTH


@pytest.mark.parametrize("weights", [True, False])
def test_attention_in_one_operator_counts_its_maps_and_both_products(weights):
    layer, x = nn.MultiheadAttention(WIDTH, 4, batch_first=True), torch.randn(BATCH, SAMPLES, WIDTH)
    fast = counted_without_gradient(lambda: layer.eval()(x, x, x, need_weights=weights))
    assert dict(fast.by_operator) == {"_native_multi_head_attention": MAPS + ATTENTION}
    slow = count(lambda: layer.train()(x, x, x, need_weights=weights)).by_operator
    products = [flops for name, flops in slow.items() if name in ("mm", "addmm", "bmm") or "dot_product" in name]
    assert sum(products) == MAPS + ATTENTION


def test_a_transformers_layer_in_one_operator_counts_its_products_and_elements():
    layer, x = nn.TransformerEncoderLayer(WIDTH, 4, 128, batch_first=True).eval(), torch.randn(BATCH, SAMPLES, WIDTH)
    elements = BATCH * SAMPLES * (4 * WIDTH + 128)
    expected = MAPS + ATTENTION + 2 * BATCH * SAMPLES * 2 * WIDTH * 128 + elements
    assert counted_without_gradient(lambda: layer(x)).flops == expected


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_of_nested_tensors_no_number_is_told():
    layer = nn.TransformerEncoder(nn.TransformerEncoderLayer(WIDTH, 4, 128, batch_first=True), 1).eval()
    x, padded = torch.randn(2, 16, WIDTH), torch.zeros(2, 16, dtype=torch.bool)
    padded[0, 10:] = True
    assert "nested" in counted_without_gradient(lambda: layer(x, src_key_padding_mask=padded)).unseen


TABLE, IDS = torch.randn(1000, 16), torch.tensor([1, 2, 3, 4])


@pytest.mark.parametrize(
    "take", [lambda: functional.embedding(IDS, TABLE), lambda: TABLE.index_select(0, IDS), lambda: TABLE[IDS]]
)
def test_rows_that_are_taken_are_read_and_written_and_no_operation(take):
    found = count(take)
    assert (found.flops, found.bytes) == (0, 2 * 4 * 16 * 4 + 8 * 4)


def test_rows_that_are_added_count_an_addition_an_element():
    table = TABLE.clone().requires_grad_()
    found = count(lambda: functional.embedding(IDS, table).sum().backward()).by_operator
    assert (found["embedding"], found["embedding_dense_backward"]) == (0, 4 * 16)
    summed = count(lambda: functional.embedding_bag(IDS[None], TABLE, mode="sum"))
    assert summed.flops == 4 * 16
    assert summed.bytes < TABLE.nbytes / 10
    rows = torch.ones(4, 16)
    assert count(lambda: TABLE.clone().index_add_(0, IDS, rows)).flops == 4 * 16
    assert count(lambda: TABLE.clone().index_put_((IDS,), rows, accumulate=True)).flops == 4 * 16


def test_products_with_vectors_count_as_products_of_matrices():
    a = torch.randn(64, 64)
    assert count(lambda: a.mv(a[0])).flops == count(lambda: torch.addmv(a[1], a, a[0])).flops == 2 * 64 * 64
    assert count(lambda: a[0].dot(a[1])).flops == 2 * 64
    z = torch.complex(a, a)
    assert count(lambda: torch.vdot(z[0], z[1])).flops == 4 * 2 * 64


def test_pooling_counts_the_elements_of_its_windows():
    x = torch.randn(2, 8, 100, requires_grad=True)
    for name, pool, backward in (
        ("avg_pool2d", functional.avg_pool1d, 14560),
        ("max_pool2d_with_indices", functional.max_pool1d, 1456),  # an addition to the one that was the maximum
    ):
        found = count(lambda pool=pool: pool(x, 10, 1).sum().backward()).by_operator
        assert (found[name], found[f"{name}_backward"]) == (2 * 8 * 91 * 10, backward)
    image = torch.randn(3, 8, 8)
    assert counted_without_gradient(lambda: functional.max_pool2d(image, (2, 4))).flops == image.numel()
    assert counted_without_gradient(lambda: functional.avg_pool3d(image[None], 2)).flops == 8 * 16
    # three windows of ten places: 0 to 3, 3 to 6 and 6 to 9, of four each
    assert counted_without_gradient(lambda: functional.adaptive_avg_pool1d(torch.ones(5, 10), 3)).flops == 5 * 12


def test_complex_numbers_count_the_real_arithmetic_they_take():
    z, x = torch.randn(8, dtype=torch.complex64), torch.randn(8)
    for call, each in (
        (lambda: z * z, 6),
        (lambda: x * z, 2),
        (lambda: z * x, 2),
        (lambda: z * 0.5, 2),
        (lambda: x * 1j, 2),
        (lambda: z / z, 11),
        (lambda: z / 3, 2),
        (lambda: z + z, 2),
    ):
        assert count(call).flops == 8 * each


@pytest.mark.parametrize(
    ("move", "touched"),
    [
        (lambda a: torch.unsafe_split(a, 32), 0),
        (lambda a: a.transpose_(0, 1), 0),
        (lambda a: a.unsqueeze_(0), 0),
        (torch.triu, 2),
        (torch.tril, 2),
        (lambda a: torch.split_with_sizes_copy(a, [32, 32]), 2),
        (lambda a: torch.slice_scatter(a, a[:32], 0, 0, 32), 2.5),
    ],
)
def test_moving_is_no_operation(move, touched):
    a = torch.randn(64, 64)
    found = count(lambda: move(a))
    assert (found.flops, found.bytes) == (0, touched * 4 * 64 * 64)


def test_scattering_is_no_operation_and_adding_by_it_is_one():
    a, at, values = torch.zeros(64, 64), torch.zeros(1, 64, dtype=torch.int64), torch.ones(1, 64)
    assert count(lambda: a.scatter(0, at, values)).flops == 0
    assert count(lambda: a.scatter_add(0, at, values)).flops == 64


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


def test_what_is_only_written_to_is_not_read():
    a, b, out = torch.zeros(1000), torch.zeros(1000), torch.zeros(1000)
    assert count(lambda: b.copy_(a)).bytes == 2 * 4000
    assert count(lambda: b.add_(a)).bytes == 3 * 4000
    assert count(lambda: b.fill_(1.0)).bytes == count(lambda: b.zero_()).bytes == 4000
    assert count(lambda: b.uniform_()).bytes == 4000
    assert count(lambda: torch.add(a, b, out=out)).bytes == 3 * 4000


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
