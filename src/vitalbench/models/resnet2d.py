"""Residual networks of images, as MONAI has them (monai.networks.nets.ResNet; He et al. 2016, arXiv 1512.03385).

ResNet-50 by default: bottlenecks, stages of 3, 4, 6 and 3, a stem that halves twice. For small images the stem may halve less
(`stride`, `pool`) and the last stages may be left out, so that the map at the end still tells places apart.
"""

from monai.networks.nets.resnet import ResNet
from torch import Tensor, nn

from vitalbench.models.layers.encoding import Encoding
from vitalbench.models.layers.headed import Headed

_STAGES = 4
_EXPANSION = {"bottleneck": 4, "basic": 1}


class Encoder(Encoding):
    """(batch, channels, height, width) -> (batch, features): the last stage's mean over the image."""

    def __init__(self, channels: int, layers: list[int], filters: int, block: str, stride: int, pool: bool) -> None:
        super().__init__()
        widths = [filters * 2**stage for stage in range(_STAGES)]
        depths = [*layers, *[1] * (_STAGES - len(layers))]
        net = ResNet(
            block, depths, widths, spatial_dims=2, n_input_channels=channels, conv1_t_size=7, conv1_t_stride=stride,
            no_max_pool=not pool, feed_forward=False, bias_downsample=False,
        )  # fmt: skip
        self.features = self.channels = widths[len(layers) - 1] * _EXPANSION[block]
        self.stride = stride * (2 if pool else 1) * 2 ** (len(layers) - 1)
        start = [net.conv1, net.bn1, net.act, *([net.maxpool] if pool else [])]
        stages = [net.layer1, net.layer2, net.layer3, net.layer4]
        self.blocks = nn.Sequential(*start, *stages[: len(layers)])

    def sequence(self, x: Tensor) -> Tensor:
        """(batch, channels, rows, columns) of the last stage."""
        known: Tensor = self.blocks(x)
        return known

    def forward(self, x: Tensor) -> Tensor:
        return self.sequence(x).mean(dim=(2, 3))


def build(
    *,
    channels: int,
    height: int,  # noqa: ARG001 - convolutions take any size
    width: int,  # noqa: ARG001
    classes: int,
    layers: tuple[int, ...] = (3, 4, 6, 3),
    filters: int = 64,
    block: str = "bottleneck",
    stride: int = 2,
    pool: bool = True,
    dropout: float = 0.0,
) -> nn.Module:
    """ResNet-50 by default.

    Raises:
        ValueError: more than four stages, or none.
    """
    if not 0 < len(layers) <= _STAGES:
        raise ValueError(f"layers: {len(layers)} stages, not 1 to {_STAGES}")
    encoder = Encoder(channels, list(layers), filters, block, stride, pool)
    return Headed(encoder, nn.Sequential(nn.Dropout(dropout), nn.Linear(encoder.features, classes)))
