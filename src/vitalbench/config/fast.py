"""How a frozen encoder's function is computed sooner. Each way can be turned off, so that what it is worth can be measured."""

from typing import Literal, Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from vitalbench.config.strict import Strict


class Fast(Strict):
    """The section `fast` of a design with a frozen encoder; with nothing said, everything is on."""

    features: bool = True
    kernels: bool = True
    in_cache: bool = True
    precision: Literal["auto", "fp32", "bf16"] = "auto"

    @model_validator(mode="after")
    def _made_of_constants(self) -> Self:
        if not self.kernels and (self.in_cache or self.precision != "fp32"):
            raise PydanticCustomError(
                "fast",
                "with 'kernels: false' it computes as in training: write 'in_cache: false' and 'precision: fp32' too",
            )
        return self
