"""What an export says of itself, as JSON in its own file, so that nothing else travels with it."""

import json
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any

from aesthetic_tv.errors import ExportError

KEY = "aesthetic_tv"  # of the metadata of ONNX, and of OpenVINO's rt_info
FORMAT_VERSION = 1
INPUTS = ("pixels", "photos")
# As Pillow calls its filters; "nearest" and the three smooth ones are all that towers ask for.
FILTERS = ("nearest", "bilinear", "bicubic", "lanczos")
LARGEST_SIDE = 8192  # of what a tower sees; a number from a file is not believed blindly


@dataclass(frozen=True)
class PixelSettings:
    """From a decoded photo to what the tower sees.

    Args:
        size: height and width of what the tower sees.
        resize: height and width that a photo is squeezed to, or (shortest side,) that it is brought
            to; `None` where photos keep their size.
        resample: one of `FILTERS`; `None` where photos keep their size.
        longest: a strip longer than so many times its short side loses its ends first; `None` where
            it does not.
        mean, deviation: of each channel, in levels / 255.
        short_side: what decoding may leave of the short side of a large JPEG, halved; `None` for
            all of it.
    """

    size: tuple[int, int]
    resize: tuple[int, ...] | None
    resample: str | None
    longest: int | None
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    short_side: int | None

    def __post_init__(self):
        sides = [*self.size, *(self.resize or ())]
        numbers = [*self.mean, *self.deviation]
        right = (
            len(self.size) == 2
            and (self.resize is None or len(self.resize) in (1, 2))
            and all(type(side) is int and 0 < side <= LARGEST_SIDE for side in sides)
            and (self.resample is None) == (self.resize is None)
            and self.resample in (None, *FILTERS)
            and all(
                x is None or (type(x) is int and x > 0) for x in (self.longest, self.short_side)
            )
            and len(self.mean) == len(self.deviation) == 3
            and all(isinstance(x, int | float) and isfinite(x) for x in numbers)
            and all(self.deviation)
        )
        if not right:
            raise ExportError(f"settings of pixels that cannot be: {asdict(self)}")


@dataclass(frozen=True)
class Description:
    """What is told of an export.

    Args:
        name: of the taste or scorer.
        takes: `photos`, uint8 (n, H, W, 3) of any size; or `pixels`, float32 (n, 3, h, w).
        precision: that weights are stored in.
        tower: `model_type`, and `repo_id` and `revision` where they are known.
        weights_sha256: fingerprint of the weights that were exported, in float32.
        scale: lowest and highest score that there can be.
        calibrated: whether `scores` are on a person's own scale.
        pixels: from a photo to what the tower sees; `None` where its image processor does what
            cannot be told so.
        processor: its settings as transformers has them.
        decoding: version of how photos are decoded.
        library_version: of aesthetic_tv.
        parts: hash of each file beside this one, by the end of its name.
    """

    name: str
    takes: str
    precision: str
    tower: dict[str, Any]
    weights_sha256: str
    scale: tuple[float, float]
    calibrated: bool
    pixels: PixelSettings | None
    processor: dict[str, Any]
    decoding: int
    library_version: str
    parts: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """One line."""
        return json.dumps({"format_version": FORMAT_VERSION} | asdict(self), ensure_ascii=True)

    @classmethod
    def from_json(cls, text: str, where: str) -> "Description":
        """What `to_json` wrote.

        Args:
            text: as it stands in the export.
            where: path of the export, for messages.

        Raises:
            ExportError: damaged, or of a format version this library does not know.
        """
        try:
            told = json.loads(text)
            version = told.pop("format_version")
            if type(version) is int and version > FORMAT_VERSION:
                raise ExportError(
                    f"is of format version {version}; this library knows versions up to "
                    f"{FORMAT_VERSION}. Upgrade with `pip install -U aesthetic-tv`."
                )
            if told["pixels"] is not None:
                pixels = {key: _tuples(value) for key, value in told["pixels"].items()}
                told["pixels"] = PixelSettings(**pixels)
            low, high = map(float, told["scale"])
            made = cls(**told | {"scale": (low, high)})
            if made.takes not in INPUTS:
                raise ValueError(f"takes {made.takes!r}")
        except ExportError as error:
            raise ExportError(f"{where}: {error}") from None
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            raise ExportError(
                f"{where}: what it says of itself is damaged ({error}); export it again."
            ) from error
        return made


def _tuples(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
