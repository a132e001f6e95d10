"""What an encoder is asked of records without labels, so that others may start from what it has learnt."""

from typing import Annotated, Literal

from pydantic import Field

from vitalbench.config.strict import Strict
from vitalbench.config.values import Count, Positive

Share = Annotated[float, Field(gt=0, lt=1)]


class Masked(Strict):
    """Masked modelling: of a standardised record so much is blanked, in spans or squares, and is to be filled in."""

    share: Share = 0.5
    seconds: Positive = 0.5
    pixels: Count = 8  # of images, in the place of seconds: a square's side


class Contrastive(Strict):
    """Contrastive learning: whose views are to be alike, and how a view is blanked."""

    positives: Literal["record", "patient"] = "record"
    temperature: Annotated[float, Field(ge=1e-3)] = 0.1
    share: Share = 0.5
    seconds: Positive = 0.5
    pixels: Count = 8  # of images, in the place of seconds: a square's side


class Order(Strict):
    """Temporal order: how much is blank where the halves of a record meet."""

    gap_seconds: Positive = 0.2
