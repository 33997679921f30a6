"""RAW photos: the picture that the camera made of them, or developed where there is none."""

import importlib
import io
from typing import Any

from PIL import Image, ImageOps

LEAST_SIDE = 512  # pixels of the short side of an embedded picture that is good enough
ORIENTATION = 0x0112  # tag of EXIF
SRGB_GAMMA = (2.4, 12.92)
TURNS = {
    3: Image.Transpose.ROTATE_180,
    5: Image.Transpose.ROTATE_90,
    6: Image.Transpose.ROTATE_270,
}


def open_raw(source: str | io.BytesIO, short_side: int | None = None) -> Image.Image:
    """The embedded picture, upright, or where it is small or missing the sensor's, at half size.

    Args:
        source: path or content; rawpy must be installed.
        short_side: what the short side will be resized to.

    Raises:
        Exception: of LibRaw, when it is no RAW file or damaged.
    """
    rawpy = importlib.import_module("rawpy")
    with rawpy.imread(source) as raw:
        developed = min(raw.sizes.width, raw.sizes.height) // 2
        preview = _preview(raw, rawpy)
        if preview is not None:
            wanted = min(developed, max(LEAST_SIDE, short_side or 0))
            if min(preview.size) >= wanted:
                return _upright(preview, raw.sizes)
        return Image.fromarray(
            raw.postprocess(half_size=True, use_camera_wb=True, gamma=SRGB_GAMMA)
        )


def _preview(raw: Any, rawpy: Any) -> Image.Image | None:
    """The largest embedded picture; `None` where there is none that can be read."""
    try:
        found = raw.extract_thumb()
        if found.format == rawpy.ThumbFormat.JPEG:
            image = Image.open(io.BytesIO(found.data))
            image.load()
            return image
        return Image.fromarray(found.data)
    except Exception:  # LibRaw and Pillow raise many kinds; there is the sensor's picture still
        return None


def _upright(preview: Image.Image, sizes: Any) -> Image.Image:
    """Turned as its own EXIF says, and as the RAW file does where that is not the same.

    Cameras write previews turned already, with a tag, or as the sensor has them and without one.
    """
    told = preview.getexif().get(ORIENTATION, 0)
    upright, turn = ImageOps.exif_transpose(preview), TURNS.get(sizes.flip)
    if turn is None:
        return upright
    if turn is Image.Transpose.ROTATE_180:
        return upright if told else upright.transpose(turn)

    def stands(image: Image.Image) -> bool:
        """As the sensor's picture does once it is turned."""
        return (image.height > image.width) == (sizes.width > sizes.height)

    if stands(upright):
        return upright
    return _untagged(preview) if stands(preview) else upright.transpose(turn)


def _untagged(image: Image.Image) -> Image.Image:
    """The pixels as they lie, with nothing that tells to turn them: LibRaw adds a tag of its own to
    previews without any, turned already or not.
    """
    image, exif = image.copy(), image.getexif()
    exif.pop(ORIENTATION, None)
    image.info["exif"] = exif.tobytes()
    return image
