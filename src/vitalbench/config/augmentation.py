"""What may be done to training windows of signals, and to training images (train/augment.py does it)."""

from typing import Annotated

from pydantic import Field

from vitalbench.config.strict import Strict
from vitalbench.config.values import Count, Fraction, Positive

Factor = Annotated[float, Field(gt=1, le=4)]


class _Step(Strict):
    """One change of a window; `p` is the share of windows that it happens to."""

    p: Fraction = 0.5


class Stretch(_Step):
    """Slower or faster by up to `factor`, drawn evenly on a logarithmic scale."""

    factor: Factor


class Amplitude(_Step):
    """All leads larger or smaller by up to `factor`, drawn evenly on a logarithmic scale."""

    factor: Factor


class Wander(_Step):
    """A slow sine of 0.05 to 0.5 Hz, of up to `mv` on each lead: breathing and moving."""

    mv: Positive


class Powerline(_Step):
    """A sine of `hz`, of up to `mv` on each lead."""

    mv: Positive
    hz: Positive = 50.0


class Noise(_Step):
    """White noise of a standard deviation of up to `mv`."""

    mv: Positive


class Mask(_Step):
    """Nothing recorded on any lead for up to `seconds`."""

    seconds: Positive


class DropLeads(_Step):
    """Nothing recorded on one to `at_most` leads; one at least stays."""

    at_most: Count


class Warp(_Step):
    """An image turned by up to `degrees`, moved by up to `shift` of its sides, larger or smaller by up to `zoom`."""

    degrees: Annotated[float, Field(ge=0, le=45)] = 0.0
    shift: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    zoom: Annotated[float, Field(ge=1, le=2)] = 1.0


class Contrast(_Step):
    """An image's contrast larger or smaller by up to `factor`, and all of it lighter or darker by up to `light` of full scale."""

    factor: Annotated[float, Field(ge=1, le=4)] = 1.0
    light: Annotated[float, Field(ge=0, lt=1)] = 0.0


class Grain(_Step):
    """White noise of a standard deviation of up to `share` of full scale."""

    share: Fraction


OF_IMAGES = ("warp", "contrast", "grain")  # the others are of signals


class Augment(Strict):
    """Changes of training windows, in this order: the heart, the body, the surroundings, the recorder; of images their own."""

    stretch: Stretch | None = None
    amplitude: Amplitude | None = None
    wander: Wander | None = None
    powerline: Powerline | None = None
    noise: Noise | None = None
    mask: Mask | None = None
    drop_leads: DropLeads | None = None
    warp: Warp | None = None
    contrast: Contrast | None = None
    grain: Grain | None = None

    @property
    def reach(self) -> float:
        """How much longer than its window the stretch of a record is that a window may be made of."""
        return self.stretch.factor if self.stretch else 1.0
