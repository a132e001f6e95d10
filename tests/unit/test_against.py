"""Two designs in turn: each computes in the precision that it declares."""

import pytest
import torch
from torch import nn

from vitalbench.config.schema import Protocol
from vitalbench.errors import ConfigError
from vitalbench.measure.against import against
from vitalbench.measure.interleaved import Against
from vitalbench.measure.noise import Shift


@pytest.mark.parametrize(("first", "second"), [("fp32", "bf16"), ("bf16", "fp32"), ("bf16", "bf16")])
def test_each_design_computes_in_its_own_precision(configs, small_dataset, monkeypatch, first, second):
    made: list[set[torch.dtype]] = []

    def interleaved(*calls, **_more) -> Against:
        for call in calls[:2]:
            seen: set[torch.dtype] = set()
            hook = nn.modules.module.register_module_forward_hook(
                lambda module, _, out, seen=seen: seen.add(out.dtype) if isinstance(module, nn.Linear) else None
            )
            call()
            hook.remove()
            made.append(seen)
        return Against(Shift(1.0, 0.9, 1.1, 12), Shift(1.0, 0.9, 1.1, 12), "no-verdict", [], [], [])

    monkeypatch.setattr("vitalbench.measure.interleaved.interleaved", interleaved)
    designs = in_precisions(configs, first, second)
    target, task = configs.target("cpu"), configs.task("superdiagnostic")
    (_,) = against(designs, small_dataset, task, target, Protocol(), ["train_step"])
    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16}
    assert made[:2] == [{dtypes[first]}, {dtypes[second]}]


def test_fp16_is_not_held_against_another_precision(configs, small_dataset):
    designs = in_precisions(configs, "fp32", "fp16")
    target, task = configs.target("cpu"), configs.task("superdiagnostic")
    with pytest.raises(ConfigError, match="fp16 goes with fp16 alone; the designs are in fp32 and fp16"):
        against(designs, small_dataset, task, target, Protocol(), ["train_step"])


def in_precisions(configs, *precisions):
    design = configs.design("s4d", "small", "")
    changed = (design.train.model_copy(update={"precision": precision}) for precision in precisions)
    return tuple(design.model_copy(update={"train": train}) for train in changed)
