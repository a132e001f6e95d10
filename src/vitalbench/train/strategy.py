"""How a target spreads a training over processes: Accelerate's plain loop, data parallel (DDP), or DeepSpeed's ZeRO.

Batch norm: each process normalises by its own share of the batch, so its statistics are those of batch / processes records. The
running statistics are averaged over the processes before a model is evaluated, the same under every strategy.
"""

import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DeepSpeedPlugin, DistributedDataParallelKwargs, DistributedType, InitProcessGroupKwargs
from torch import Tensor, nn

from vitalbench.config.target import Target
from vitalbench.train.ranks import end_with_launcher, is_rank, meeting_place, rank, ranks

BUCKET = 50_000_000  # elements that ZeRO reduces or gathers at once
_MIXED = {"fp32": "no", "bf16": "bf16", "fp16": "fp16"}


class _Zero(DeepSpeedPlugin):  # type: ignore[misc]
    """Accelerate's plugin without what it tells transformers, which is not among our packages."""

    def set_deepspeed_weakref(self) -> None:
        """Tell nobody of the configuration."""


def zero_config(target: Target) -> dict[str, Any]:
    """DeepSpeed's configuration. Our step divides batches and weighs their parts, so its own accounting of them stays at one."""
    stage = target.zero_stage
    zero: dict[str, Any] = {
        "stage": stage,
        "reduce_bucket_size": BUCKET,
        "allgather_bucket_size": BUCKET,
        "overlap_comm": False,
        "contiguous_gradients": True,
    }
    if target.offload:
        zero["offload_optimizer"] = {"device": "cpu"}
        if stage == 3:
            zero["offload_param"] = {"device": "cpu"}
    return {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        "gradient_clipping": 0.0,
        "zero_optimization": zero,
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,  # the design's own optimiser, not one that is compiled when first used
        "steps_per_print": 10**9,
    }


def _join(target: Target) -> None:
    """Meet the other processes of a cell, where a launcher started this one; it ends with its launcher from here."""
    if not is_rank() or torch.distributed.is_initialized():
        return
    end_with_launcher()
    backend, place = "gloo" if target.device == "cpu" else "nccl", f"file://{meeting_place()}"
    torch.distributed.init_process_group(backend, init_method=place, rank=rank(), world_size=ranks())


def make_accelerator(target: Target, precision: str) -> Accelerator:
    """The accelerator of a target. Under ZeRO the arithmetic's precision is DeepSpeed's matter, which Step hands on."""
    _join(target)
    mixed = "no" if target.zero_stage else _MIXED[precision]
    if AcceleratorState._shared_state and AcceleratorState().mixed_precision != mixed:
        AcceleratorState._reset_state()  # what an earlier accelerator of this process was asked for
    if not target.zero_stage:
        spread = DistributedDataParallelKwargs(broadcast_buffers=False, gradient_as_bucket_view=True)
        return Accelerator(cpu=target.device == "cpu", mixed_precision=mixed, kwargs_handlers=[spread])
    import deepspeed

    # Nothing of DeepSpeed's own C++ is compiled: torch's optimisers and gloo or NCCL do the work.
    vars(deepspeed.ops)["__compatible_ops__"] = {}
    backend = InitProcessGroupKwargs(backend="gloo" if target.device == "cpu" else "nccl")
    return Accelerator(
        deepspeed_plugin=_Zero(hf_ds_config=zero_config(target), zero3_init_flag=False),
        mixed_precision=mixed,
        kwargs_handlers=[backend],
    )


def is_zero(accelerator: Accelerator) -> bool:
    """Whether DeepSpeed does the backward pass and the update."""
    return bool(accelerator.distributed_type == DistributedType.DEEPSPEED)


def settle_zero(accelerator: Accelerator, clip_norm: float | None, precision: str) -> None:
    """What of a design's recipe DeepSpeed has to know before it takes a model: weights stay fp32 at every precision."""
    config = accelerator.state.deepspeed_plugin.deepspeed_config
    config["gradient_clipping"] = clip_norm or 0.0
    if precision != "fp32":
        kind = "bfloat16" if precision == "bf16" else "float16"
        config["torch_autocast"] = {"enabled": True, "dtype": kind}


def bare(model: nn.Module) -> nn.Module:
    """The model itself, without what a strategy wrapped around it."""
    inner = model.module if hasattr(model, "module") else model
    assert isinstance(inner, nn.Module)
    return inner


@contextmanager
def _whole(tensor: Tensor, written: bool = False) -> Iterator[None]:
    """Under ZeRO 3 a weight lies in parts on all processes; here it is whole."""
    gathered: AbstractContextManager[None] = nullcontext()
    if hasattr(tensor, "ds_id"):
        import deepspeed

        gathered = deepspeed.zero.GatheredParameters([tensor], modifier_rank=0 if written else None)
    with gathered:
        yield


def is_sharded(model: nn.Module) -> bool:
    """Whether its weights lie in parts on all processes."""
    return any(hasattr(parameter, "ds_id") for parameter in model.parameters())


def full_weights(model: nn.Module) -> dict[str, Tensor]:
    """A copy of every weight and buffer of a bare model, by name; all processes take part where they lie in parts."""
    if not is_sharded(model):
        return copy.deepcopy(model.state_dict())
    found = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        with _whole(tensor):
            found[name] = tensor.detach().cpu().clone()
    return found


def load_weights(model: nn.Module, weights: dict[str, Tensor]) -> None:
    """Put back what `full_weights` copied, into a model that is trained no further: an optimiser's own copies are left behind."""
    if not is_sharded(model):
        model.load_state_dict(weights)
        return
    for name, tensor in model.state_dict(keep_vars=True).items():
        with _whole(tensor, written=True), torch.no_grad():
            tensor.copy_(weights[name])


class ZeroState:
    """What a process holds of a run under ZeRO: its part of the optimiser's states and of the weights that it updates, in fp32.

    Args:
        engine: what DeepSpeed made of the model.
    """

    # DeepSpeed's names, of stages 1 and 2 and of stage 3. The rest of its state is configuration, which is not saved.
    _SAVED = ("base_optimizer_state", "single_partition_of_fp32_groups", "optimizer_state_dict", "fp32_flat_groups")

    def __init__(self, engine: Any) -> None:
        self._zero = engine.optimizer

    def state_dict(self) -> dict[str, Any]:
        """The part."""
        told = self._zero.state_dict()
        scaler = self._zero.torch_autocast_gradscaler
        found: dict[str, Any] = {name: told[name] for name in self._SAVED if name in told}
        return found | ({"scaler": scaler.state_dict()} if scaler else {})

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put the part back, and under ZeRO 3 the weights that are kept whole on every process with it."""
        rank, saved = torch.distributed.get_rank(), {name: state[name] for name in self._SAVED if name in state}
        self._zero.load_state_dict({rank: self._zero.state_dict() | saved}, load_from_fp32_weights=True)
        if hasattr(self._zero, "checkpoint_event_epilogue"):  # of stage 3 alone
            self._zero.checkpoint_event_epilogue()
        if "scaler" in state:
            self._zero.torch_autocast_gradscaler.load_state_dict(state["scaler"])


def average_statistics(accelerator: Accelerator, model: nn.Module) -> None:
    """Make the running statistics of batch norm the mean over the processes; nothing where there is one process."""
    if accelerator.num_processes == 1:
        return
    for buffer in model.buffers():
        if buffer.is_floating_point():
            buffer.copy_(accelerator.reduce(buffer.detach().clone(), "mean"))


def over_processes(accelerator: Accelerator, tensor: Tensor) -> Tensor:
    """The sum of a tensor on the host over all processes, on the host."""
    if accelerator.num_processes == 1:
        return tensor
    summed: Tensor = accelerator.reduce(tensor.to(accelerator.device), "sum").cpu()
    return summed


def slowest_process(accelerator: Accelerator, seconds: float) -> float:
    """The largest of the seconds that the processes took."""
    told = accelerator.gather(torch.tensor([seconds], dtype=torch.float64, device=accelerator.device))
    return float(told.max())


def any_process(accelerator: Accelerator, seen: bool) -> bool:
    """Whether one of the processes has seen it: all of them are told the same."""
    return slowest_process(accelerator, float(seen)) > 0


def evaluating(model: nn.Module) -> AbstractContextManager[Any]:
    """No gradients. Weights that lie in parts are gathered into tensors of their own, which inference mode would spoil."""
    return torch.no_grad() if is_sharded(model) else torch.inference_mode()
