"""Where the files that belong to an album are kept: beside it, or in the person's own folder."""

import hashlib
import os
import tempfile
from pathlib import Path

from platformdirs import user_data_path


def album_places(album: str | os.PathLike[str], ending: str) -> tuple[Path, Path]:
    """The file beside the album, and the one in the person's own folder.

    Args:
        album: the folder.
        ending: after the album's name, such as `.ratings.csv`.
    """
    folder = Path(album).resolve()
    name = folder.name or "album"
    key = hashlib.sha256(os.fsencode(folder)).hexdigest()[:8]
    own = user_data_path("aesthetic-tv") / "ratings"
    return folder.parent / f"{name}{ending}", own / f"{name}-{key}{ending}"


def can_write(folder: Path) -> bool:
    """Whether files can be made in a folder, or the folder where it is missing; nothing is left."""
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place):
            return True
    except OSError:
        return False
