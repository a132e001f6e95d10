"""PNG files of grey images, read by Pillow, each held against what its header says before it is unpacked."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import PngImagePlugin, UnidentifiedImageError

from vitalbench.config.dataset import Image
from vitalbench.data.datasets import Record, UnreadableRecord
from vitalbench.data.sample_file import size_within
from vitalbench.data.wfdb_record import WATERMARK

_MOST_PIXELS = 1 << 26  # 64 megapixels; the largest detectors have 25
_MOST_BYTES = 1 << 28
_NOTE = "Comment"  # the keyword of PNG's text chunk that holds the watermark
# What the decoder raises of a file that was made to be wrong: its chunks are taken apart without looking.
_DAMAGE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    SyntaxError,
    TypeError,
    ValueError,
    Pillow.DecompressionBombError,
    struct.error,
    zlib.error,
)
_GREY = {"L": 1, "LA": 1, "RGB": 3, "RGBA": 3}  # modes of 8 bits, and how many of their bands are colours


def _grey(opened: PngImagePlugin.PngImageFile) -> Pillow.Image:
    """The one band that all colours of an image are; some viewers store grey images as red, green, blue and opacity."""
    if opened.mode not in _GREY:
        raise UnreadableRecord("wrong-mode", f"pixels of the mode {opened.mode}, not one of {' '.join(_GREY)}")
    bands = opened.split()
    first = bands[0]
    if any(band.tobytes() != first.tobytes() for band in bands[1 : _GREY[opened.mode]]):
        raise UnreadableRecord("coloured-image", "its colours differ: no grey image")
    return first


def _open(path: Path, root: Path) -> PngImagePlugin.PngImageFile:
    try:
        if size_within(path, root) > _MOST_BYTES:
            raise UnreadableRecord("wrong-size", f"more than {_MOST_BYTES >> 20} MiB")
        content = path.read_bytes()
    except OSError:
        raise UnreadableRecord("missing-file", f"{path.name} is not there") from None
    try:
        opened = Pillow.open(BytesIO(content), formats=["PNG"])
        if opened.width * opened.height > _MOST_PIXELS:
            raise UnreadableRecord("wrong-size", f"{opened.width} x {opened.height} pixels")
        opened.load()
        assert isinstance(opened, PngImagePlugin.PngImageFile)  # no other format is tried
        opened.text  # noqa: B018  # reads what follows the pixels
    except UnidentifiedImageError:  # whose own words hold an address in memory
        raise UnreadableRecord("damaged-image", f"{path.name} is no PNG file") from None
    except _DAMAGE as problem:
        raise UnreadableRecord("damaged-image", f"{path.name}: {' '.join(str(problem).split())[:120]}") from None
    return opened


def read_png(path: Path, root: Path, image: Image) -> Record:
    """Read a grey image and bring it to the data set's size: each pixel the mean of those it stands for.

    Args:
        root: the release's folder, out of which no link is followed.
        image: one channel, of 8 bits.

    Raises:
        UnreadableRecord: missing, damaged, coloured, of another shape than the data set's, or smaller than it.
    """
    opened = _open(path, root)
    grey, (width, height) = _grey(opened), opened.size
    if width * image.height != height * image.width:
        raise UnreadableRecord("wrong-shape", f"{width} x {height} pixels, not {image.width} : {image.height}")
    if width < image.width:
        raise UnreadableRecord("wrong-size", f"{width} x {height} pixels, fewer than {image.width} x {image.height}")
    if width > image.width:
        grey = grey.resize((image.width, image.height), Pillow.Resampling.BOX)
    digital = np.asarray(grey)[None]
    generated = str(opened.text.get(_NOTE, "")).startswith(WATERMARK)
    return Record(digital, np.full(1, 255, np.float32), np.zeros(1, np.float32), generated)


def write_png(path: Path, grey: NDArray[np.uint8], mode: str = "L") -> None:
    """Write one generated image, (height, width), with the stand-in's watermark in a text chunk."""
    note = PngImagePlugin.PngInfo()
    note.add_text(_NOTE, WATERMARK)
    image = Pillow.fromarray(grey)
    (image if mode == "L" else image.convert(mode)).save(path, format="PNG", pnginfo=note, compress_level=1)
