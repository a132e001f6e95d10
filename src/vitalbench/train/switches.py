"""Switches of a target that choose among a device's ways of doing the same thing."""

import os

import torch

from vitalbench.config.target import Target

SWITCHES = ("tf32", "flash_attention", "expandable_segments")
_ALLOCATOR = "PYTORCH_CUDA_ALLOC_CONF"


def set_switches(target: Target) -> None:
    """Set a target's switches. On a CPU none of them has an effect.

    Expandable segments are read by the allocator when the device is first used, so this comes before that.
    """
    if target.device != "cuda":
        return
    if target.expandable_segments:
        os.environ[_ALLOCATOR] = "expandable_segments:True"
    torch.backends.cuda.matmul.allow_tf32 = target.tf32
    torch.backends.cudnn.allow_tf32 = target.tf32
    torch.backends.cuda.enable_flash_sdp(target.flash_attention)
