"""What configs/datasets/<name>.yaml may say: a release, what its store depends on, and what it must hold."""

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from vitalbench.config.label_sets import Gives
from vitalbench.config.publisher import Download
from vitalbench.config.strict import Strict
from vitalbench.config.values import Count, Fraction, Name, Positive, each_once, is_day

Source = Literal["generated", "local", "download"]
Codec = Literal["none", "gzip", "zstd"]


def _day(text: str) -> str:
    """A date as it is written, held against the calendar."""
    if is_day(text):
        return text
    raise PydanticCustomError("day", "'{text}' is no day, written year-month-day", {"text": text})


class Signal(Strict):
    """The shape every record of a data set has once standardised: (leads, rate_hz x seconds)."""

    leads: Annotated[list[str], Field(min_length=1), AfterValidator(each_once)]
    rate_hz: Count
    seconds: Positive

    @property
    def samples(self) -> int:
        """Samples a lead."""
        return round(self.rate_hz * self.seconds)

    @property
    def names(self) -> list[str]:
        """Its channels: the leads."""
        return self.leads

    @property
    def space(self) -> tuple[int, ...]:
        """A channel's axes: one, time."""
        return (self.samples,)

    @property
    def array(self) -> str:
        """What its integers are called in an HDF5 file."""
        return "signals"

    @property
    def dtype(self) -> str:
        """How an integer is stored."""
        return "<i2"

    @property
    def unit(self) -> str:
        """Of a physical value, as facts are called by it."""
        return "mv"

    @property
    def attributes(self) -> dict[str, object]:
        """What a store says of its records."""
        return {"leads": self.leads, "rate_hz": self.rate_hz, "samples": self.samples, "unit": "mV"}


class Image(Strict):
    """The shape every record of a data set has once standardised: (channels, height, width), unsigned integers of so many bits."""

    channels: Annotated[list[str], Field(min_length=1), AfterValidator(each_once)]
    height: Count
    width: Count
    bits: Literal[8, 16] = 8

    @property
    def names(self) -> list[str]:
        """Its channels."""
        return self.channels

    @property
    def space(self) -> tuple[int, ...]:
        """A channel's axes: rows and columns."""
        return (self.height, self.width)

    @property
    def array(self) -> str:
        """What its integers are called in an HDF5 file."""
        return "images"

    @property
    def dtype(self) -> str:
        """How an integer is stored."""
        return {8: "|u1", 16: "<u2"}[self.bits]

    @property
    def rate_hz(self) -> int:
        """No axis of it is time."""
        return 0

    @property
    def unit(self) -> str:
        """Of a physical value, as facts are called by it: a share of full scale."""
        return "share"

    @property
    def attributes(self) -> dict[str, object]:
        """What a store says of its records."""
        return {"channels": self.channels, "height": self.height, "width": self.width, "unit": "of full scale"}


class Harmonise(Strict):
    """Which other shapes a release's records may have, and so are brought to the data set's `signal` (data/harmonise.py)."""

    rates_hz: list[Count] = []  # beside signal.rate_hz: resampled
    shortest_seconds: Positive | None = None  # shorter than signal.seconds: filled up with 0 mV; longer records are cut
    more_leads: bool = False  # a record may have others beside signal.leads, which are found by name
    uncalibrated_gain: Positive | None = None  # units a millivolt of leads whose header says 0: not calibrated


SampleCheck = Literal[
    "invalid-sample",
    "missing-lead",
    "negative-gain",
    "flat-lead",
    "clipping",
    "powerline",
    "amplitude",
    "blank-image",
    "saturated",
]


class Quality(Strict):
    """When a readable record's samples are questioned, for which findings it is quarantined (data/quality.py); how many may be."""

    flat_seconds: Positive = 5.0
    clipping_seconds: Positive = 0.05
    clipping_mv: Positive = 3.0
    powerline_share: Fraction = 0.3
    max_abs_mv: Positive = 30.0
    saturated_share: Fraction = 0.5  # of an image's pixels at either end of its scale
    quarantine: list[SampleCheck] = ["invalid-sample", "missing-lead"]
    max_quarantined: Annotated[float, Field(ge=0, le=1)] = 0.05

    @model_validator(mode="after")
    def _nothing_invalid_is_stored(self) -> Self:
        if "invalid-sample" not in self.quarantine:
            raise PydanticCustomError(
                "quarantine",
                "quarantine must hold 'invalid-sample': a store has no mark for samples that were not recorded",
            )
        return self


class PlantedImage(Strict):
    """How generated images show what is planted in them, in shares of full scale."""

    contrast: Fraction = 0.25  # of a finding at severity 1, at its middle
    noise: Annotated[float, Field(ge=0, lt=1)] = 0.04  # standard deviation, pixel by pixel
    boxed: Fraction = 1.0  # of the planted findings, those whose place is told


class StandIn(Strict):
    """How generated records are made in the release's own layout (data/synthetic)."""

    patients: Count
    seed: int = 0
    repeat_share: Fraction = 0.15
    separation: Positive = 3.0
    noise_mv: Annotated[float, Field(ge=0)] = 0.03
    first_share: Annotated[float, Field(gt=0, lt=1)] | None = None  # of several sources: the first one's of all records
    evenness: Fraction = 0.0  # of how often each statement is drawn: 0 as in PTB-XL, 1 every one alike
    seconds: Positive | None = None  # of a recording, where records are windows of one
    image: PlantedImage | None = None  # of images
    whole: bool = False  # it stands in for nothing: these generated records are the data set


class Subset(Strict):
    """Some of a release's patients: those whose ids' hashes come first, so that a larger subset holds a smaller one."""

    patients: Count


class Expected(Strict):
    """What the publisher's release holds when it is whole, with the source of these counts.

    `records` counts what the release calls so: of a data set whose records are windows, the recordings they are cut from.
    """

    source: str
    records: Count
    patients: Count
    split: dict[str, Count] = {}
    labels: dict[str, dict[str, int]] = {}
    unlabelled: dict[str, int] = {}


class DatasetBuild(Strict):
    """What a data set's store depends on."""

    module: Name
    release: Name
    version: str
    index_files: list[str] = []
    index_beside: list[str] = []  # tables that are read too, where they are there
    header_folders: list[str] = []
    made_of: list[Name] = []  # releases side by side, from whose common folder tables and folders are named
    annotations: Annotated[str, Field(pattern=r"^[a-z0-9]{1,8}$")] | None = None
    annotated_to_s: Positive | None = None  # of a recording's end, where the release annotates all of it
    carry: list[str] = []
    if TYPE_CHECKING:
        signal: Signal  # for readers of signals, which are given no data set of images
    else:
        signal: Signal | None = None
    image: Image | None = None
    partial: bool = False  # records whose files are not in the folder are left out of the index
    harmonise: Harmonise | None = None
    subset: Subset | None = None
    copies: Literal["used", "unused"] = "used"  # a record with the samples of one that was counted before
    parts: Annotated[int, Field(ge=1, le=1024)] = 8
    codec: Codec = "none"
    encrypt: bool = False
    quality: Quality = Quality()
    standin: StandIn | None = None
    download: Download | None = None
    expected: Expected | None = None

    @model_validator(mode="after")
    def _an_index(self) -> Self:
        if not (self.index_files or self.header_folders) or (
            self.index_files and self.header_folders and not self.made_of
        ):
            raise PydanticCustomError(
                "index",
                "either 'index_files', the tables that list the records, or 'header_folders', where headers are found that do",
            )
        return self

    @model_validator(mode="after")
    def _one_shape(self) -> Self:
        if (getattr(self, "signal", None) is None) == (self.image is None):
            raise PydanticCustomError("shape", "either 'signal' or 'image', the shape that every record has")
        if self.image and self.harmonise:
            raise PydanticCustomError("shape", "'harmonise' is about signals, and this data set has 'image'")
        return self

    @property
    def shape(self) -> Signal | Image:
        """What every record of the data set is once standardised."""
        return self.image or self.signal

    @property
    def shape_key(self) -> str:
        """The key that says it."""
        return "image" if self.image else "signal"

    @model_validator(mode="after")
    def _either_sealed_or_packed(self) -> Self:
        if self.encrypt and self.codec != "none":
            raise PydanticCustomError(
                "encrypt",
                "encrypt: true needs codec 'none', not '{codec}': rows are sealed one by one",
                {"codec": self.codec},
            )
        return self


class Dataset(DatasetBuild):
    """configs/datasets/<name>.yaml: a release, where it comes from and what it must hold."""

    title: str
    licence: str
    access: Literal["open", "registration", "credentialed"]
    citation: str
    homepage: Annotated[str, Field(pattern=r"^https?://\S+$")]
    published: Annotated[str, AfterValidator(_day)] | None = None
    groups: list[str] = []
    gives: Gives | None = None  # without it, what a task names is looked for when it is split
    fitted_on: str | None = None
    unverified: str | None = None  # what of it no real file has been read by: `reader`, or the reader of a part

    @property
    def caveat(self) -> str:
        """What a reader of its numbers has to know; empty where its reader has read real files."""
        return f"{self.unverified} unverified on real files" if self.unverified else ""

    @model_validator(mode="after")
    def _open_download(self) -> Self:
        if self.download and self.access != "open":
            raise PydanticCustomError(
                "download",
                "a release of access '{access}' is never downloaded; leave out 'download'",
                {"access": self.access},
            )
        return self
