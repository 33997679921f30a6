"""Photos as cameras and editors write them, small: profiles of wide gamut, and RAW files."""

import io
import struct

import numpy as np
from PIL import Image

D50 = (0.9642, 1.0, 0.8249)
# Red, green and blue as XYZ under D50, and the gamma.
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
DISPLAY_P3 = ((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407))
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
PROPHOTO = ((0.79767, 0.28804, 0.0), (0.13519, 0.71188, 0.0), (0.03134, 0.00009, 0.82491))


def _fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def profile(primaries=None, gamma: float = 2.2, name: str = "made") -> bytes:
    """An ICC profile: of colours, or without primaries of greys."""
    xyz = {b"wtpt": D50} | dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries or (), strict=False))
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    text = name.encode() + b"\0"
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(78),
        b"cprt": b"text" + bytes(4) + b"none\0",
        **{key: b"XYZ " + bytes(4) + _fixed(*value) for key, value in xyz.items()},
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC") if primaries else (b"kTRC",), curve),
    }
    start, table, data = 132 + 12 * len(tags), b"", b""
    for key, value in tags.items():
        table += key + struct.pack(">II", start + len(data), len(value))
        data += value + bytes(-len(value) % 4)
    head = struct.pack(">III", start + len(data), 0, 0x02400000) + b"mntr"
    head += (b"RGB " if primaries else b"GRAY") + b"XYZ "
    head += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _fixed(*D50)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data


def dng(mosaic: np.ndarray, preview: Image.Image | None = None, orientation: int = 1) -> bytes:
    """A minimal DNG.

    Args:
        mosaic: of the sensor, RGGB, uint16 (H, W).
        preview: an embedded JPEG, in a directory of its own.
        orientation: as in EXIF.
    """
    pixels, jpeg = mosaic.astype("<u2").tobytes(), b""
    if preview is not None:
        preview.save(buffer := io.BytesIO(), "JPEG", quality=95)
        jpeg = buffer.getvalue() + bytes(len(buffer.getvalue()) % 2)
    height, width = mosaic.shape
    at = 8 + len(pixels) + len(jpeg)
    small = b""
    if preview is not None:
        small = _directory(
            at,
            [
                *((254, "I", 1), (256, "I", preview.width), (257, "I", preview.height)),
                *((258, "3H", 8, 8, 8), (259, "H", 7), (262, "H", 6), (273, "I", 8 + len(pixels))),
                *((277, "H", 3), (278, "I", preview.height), (279, "I", len(jpeg))),
            ],
        )
    whole = [
        *((254, "I", 0), (256, "I", width), (257, "I", height), (258, "H", 16), (259, "H", 1)),
        *((262, "H", 32803), (271, "s", b"Maker\0"), (272, "s", b"Model\0"), (273, "I", 8)),
        *((274, "H", orientation), (277, "H", 1), (278, "I", height), (279, "I", len(pixels))),
        *([(330, "I", at)] if preview is not None else []),
        *((33421, "2H", 2, 2), (33422, "4B", 0, 1, 1, 2)),  # RGGB
        *((50706, "4B", 1, 4, 0, 0), (50708, "s", b"Maker Model\0"), (50717, "I", 65535)),
        (50721, "18i", *(x for row in np.eye(3, dtype=int).ravel() for x in (int(row), 1))),
        *((50728, "6I", 1, 1, 1, 1, 1, 1), (50778, "H", 21)),
    ]
    body = pixels + jpeg + small
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + _directory(8 + len(body), whole)


def _directory(at: int, entries: list[tuple]) -> bytes:
    """A directory of TIFF tags, little endian, for this place in the file."""
    kinds = {"B": (1, 1), "s": (2, 1), "H": (3, 1), "I": (4, 1), "i": (10, 2)}
    table, extra = struct.pack("<H", len(entries)), b""
    start = at + 2 + 12 * len(entries) + 4
    for tag, form, *values in entries:
        data = values[0] if form == "s" else struct.pack(f"<{form}", *values)
        kind, size = kinds[form[-1]]
        count = len(data) if form == "s" else len(values) // size
        if tag == 50728:  # unsigned fractions
            kind, count = 5, len(values) // 2
        place = data.ljust(4, b"\0")
        if len(data) > 4:
            place = struct.pack("<I", start + len(extra))
            extra += data + bytes(len(data) % 2)
        table += struct.pack("<HHI", tag, kind, count) + place
    return table + bytes(4) + extra
