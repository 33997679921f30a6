"""What is shipped inside the package: embedded banks, sample photos, and ratings of them."""

from pathlib import Path

from aesthetic_tv.errors import FormatError, SettingError

__all__ = [
    "DEFAULT_BANK",
    "EMBEDDED",
    "SEES",
    "TASTES",
    "embedded_bank",
    "sample_photos",
    "sample_ratings",
]

_FOLDER = Path(__file__).parent

EMBEDDED = "embedded:"  # begins the name of a bank in the package
DEFAULT_BANK = "embedded:lite"  # wherever no bank is named

# What an embedded bank sees, and what it does not, in a photographer's words.
SEES = {
    "embedded:lite": (
        "It sees what a photo shows in broad strokes (animals, plants, landscapes, buildings, "
        "vehicles), and its light, colour, sharpness and layout; it does not see who is in it, "
        "what a face expresses, or what the moment means to you."
    ),
    "embedded:tiny": (
        "It sees light, colour, sharpness and grain; it does not see what a photo shows."
    ),
}

TASTES: tuple[str, ...] = ("golden-hour", "quiet-grey")


def sample_photos() -> list[Path]:
    """The sample photos, sorted by name; sources and licences stand in the NOTICE beside them."""
    return sorted((_FOLDER / "photos").glob("*.jpg"))


def sample_ratings(taste: str) -> Path:
    """The ratings file of an invented person with this taste.

    Raises:
        SettingError: not one of `TASTES`.
    """
    if taste not in TASTES:
        raise SettingError(f"there is no taste {taste!r}; expected one of {', '.join(TASTES)}.")
    return _FOLDER / "ratings" / f"{taste}.csv"


def embedded_bank(name: str) -> Path:
    """The folder of a bank that is shipped with the package.

    Raises:
        FormatError: there is none of this name.
    """
    known = sorted(path.name for path in (_FOLDER / "banks").glob("*") if path.is_dir())
    if name not in known:
        listed = ", ".join(f"embedded:{bank}" for bank in known) or "none"
        raise FormatError(
            f"there is no embedded bank {name!r}; this installation has {listed}. Name one of "
            "them, or the folder of a bank."
        )
    return _FOLDER / "banks" / name
