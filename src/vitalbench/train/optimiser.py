"""Optimiser and learning-rate schedule from a design's `train` section."""

from collections import defaultdict
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LRScheduler, OneCycleLR

from vitalbench.config.design import Train


def make_optimiser(model: nn.Module, train: Train) -> Optimizer:
    """Build the optimiser. A parameter with `learning_rate_cap` is not decayed and learns no faster than the cap."""
    groups: dict[float | None, list[nn.Parameter]] = defaultdict(list)
    for parameter in model.parameters():
        if parameter.requires_grad:
            groups[getattr(parameter, "learning_rate_cap", None)].append(parameter)
    options: list[dict[str, Any]] = [
        {
            "params": parameters,
            "lr": train.learning_rate if cap is None else min(cap, train.learning_rate),
            "weight_decay": train.weight_decay if cap is None else 0.0,
        }
        for cap, parameters in groups.items()
    ]
    if train.optimizer == "sgd":
        return torch.optim.SGD(options, momentum=0.9)
    kind = torch.optim.AdamW if train.optimizer == "adamw" else torch.optim.Adam
    return kind(options, betas=(0.9, train.beta2))


def make_schedule(optimiser: Optimizer, train: Train, steps: int) -> LRScheduler:
    """Build the schedule over `steps` optimiser steps; one-cycle is Smith's (arXiv 1708.07120), momentum cycled inversely."""
    if train.schedule == "one-cycle":
        peaks = [group["lr"] for group in optimiser.param_groups]
        return OneCycleLR(optimiser, max_lr=peaks, total_steps=max(steps, 2), pct_start=0.3, anneal_strategy="cos")
    if train.schedule == "cosine":
        return CosineAnnealingLR(optimiser, T_max=max(steps, 1))
    return LambdaLR(optimiser, lambda _: 1.0)
