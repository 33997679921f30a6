"""What is shipped inside the package: an embedded bank, sample photos, and ratings of them."""

from pathlib import Path

from aesthetic_tv.errors import FormatError, SettingError

__all__ = ["TASTES", "embedded_bank", "sample_photos", "sample_ratings"]

_FOLDER = Path(__file__).parent

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
