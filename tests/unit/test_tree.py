"""Nested state comes back as it was, and what cannot be kept is named."""

import math
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from vitalbench.files import read_json, write_json
from vitalbench.train.state import RandomStates
from vitalbench.train.tree import put_together, taken_apart

TENSORS = st.builds(
    lambda shape, kind: torch.arange(math.prod(shape)).reshape(shape).to(kind),
    st.lists(st.integers(0, 3), max_size=3).map(tuple),
    st.sampled_from(
        [torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.int64, torch.uint8, torch.bool]
    ),
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | TENSORS
NESTED = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


def kept(value, folder):
    tensors = {}
    write_json(folder / "rest.json", {"state": taken_apart(value, tensors)})
    save_file(tensors, folder / "tensors.safetensors")
    return put_together(read_json(folder / "rest.json")["state"], load_file(folder / "tensors.safetensors"))


def same(a, b):
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return same(list(a), list(b)) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@settings(max_examples=60, deadline=None)
@given(value=NESTED)
def test_whatever_is_taken_apart_is_put_together_again(value, tmp_path_factory):
    assert same(value, kept(value, tmp_path_factory.mktemp("kept")))


def test_weights_that_are_one_tensor_are_kept_twice(tmp_path):
    tied = torch.nn.Linear(3, 3)
    state = {"a": tied.weight, "b": tied.weight, "row": tied.weight[1]}
    again = kept(state, tmp_path)
    assert all(torch.equal(again[name], state[name]) for name in state)


def test_every_random_number_after_it_is_the_same(tmp_path):
    def draw():
        return torch.rand(3).tolist(), np.random.normal(size=3).tolist(), [random.gauss(0, 1) for _ in range(3)]  # noqa: NPY002

    np.random.normal()  # noqa: NPY002 - leaves the second of a pair to be drawn
    random.gauss(0, 1)
    state = kept(RandomStates().state_dict(), tmp_path)
    first = draw()
    draw()
    RandomStates().load_state_dict(state)
    assert draw() == first


@pytest.mark.parametrize(
    ("value", "said"), [(object(), "state/'x'/0: a object"), (np.int64(3), "a int64"), ({None: 1}, "a key")]
)
def test_what_cannot_be_kept_is_named_by_its_place(value, said):
    with pytest.raises(TypeError, match=said):
        taken_apart({"x": [value]}, {})
