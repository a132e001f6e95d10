"""What an encoder apart from its head is to others: recipes that freeze it, or train it without labels, know no more of it."""

from abc import abstractmethod

from torch import Tensor, nn


class Encoding(nn.Module):
    """(batch, leads, samples) or (batch, channels, height, width) -> (batch, features). A model's file names its own `Encoder`.

    Attributes:
        features: that it gives of a record.
        channels: of its sequence.
        stride: samples that a step of its sequence stands for, along each axis; the last may stand for fewer.
        idle: some of its parameters reach no output, as published; processes that share a training have to know.
    """

    features: int
    channels: int
    stride: int
    idle: bool = False

    @abstractmethod
    def sequence(self, x: Tensor) -> Tensor:
        """(batch, channels, steps) or (batch, channels, rows, columns): what it knows along the record, not yet drawn together."""
