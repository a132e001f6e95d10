"""An encoder and a head on it, each by itself, so that a recipe may freeze the one, or take it from elsewhere."""

from torch import Tensor, nn

from vitalbench.models.layers.encoding import Encoding


class Headed(nn.Module):
    """(batch, leads, samples) -> (batch, classes) logits."""

    def __init__(self, encoder: Encoding, head: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(x))
        return logits
