"""What a GPU's switches are worth: the same step with a switch on and off, interleaved, as a ratio of medians."""

from collections.abc import Callable
from statistics import median
from typing import Any

from vitalbench.config.schema import Protocol
from vitalbench.config.target import Target
from vitalbench.measure.clock import Stopwatch

_AT_START = (
    "expandable_segments"  # the allocator reads it when the device is first used, so two targets have to be compared
)


def switch_ratios(
    call: Callable[[], Any], target: Target, protocol: Protocol, synchronise: Callable[[], None]
) -> list[dict[str, Any]]:
    """Seconds with each switch on over seconds with it off; `not-run` with the reason where that cannot be measured.

    The target's own setting of every switch stands again afterwards.
    """
    from vitalbench.train.switches import SWITCHES, set_switches

    found = []
    for name in SWITCHES:
        row = {"switch": name, "on": getattr(target, name), "ratio": None, "status": "not-run", "reason": ""}
        if target.device != "cuda":
            row["reason"] = "without effect on a CPU"
        elif name == _AT_START:
            row["reason"] = "read once, when the device is first used: compare a target with it and one without"
        else:
            seconds: dict[bool, list[float]] = {True: [], False: []}
            for number in range(2 * (protocol.warmup + protocol.repeats)):
                on = number % 2 == 0
                set_switches(target.model_copy(update={name: on}))
                watch = Stopwatch(synchronise)
                call()
                seconds[on].append(watch.lap())
            medians = {on: median(taken[protocol.warmup :]) for on, taken in seconds.items()}
            row |= {"ratio": medians[True] / medians[False], "status": "measured"}
            row |= {"seconds_on": seconds[True], "seconds_off": seconds[False]}  # warm-ups first
        found.append(row)
    set_switches(target)
    return found
