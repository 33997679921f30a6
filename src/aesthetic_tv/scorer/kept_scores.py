"""Scores of an album's photos in a file, so that what was scored once is not scored again."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aesthetic_tv.errors import FormatError, OutputError
from aesthetic_tv.files import FORMAT_VERSION, read_config, write_json

from .errors import PhotoError
from .journal import header
from .modeling_aesthetic_scorer import AestheticScorer

SAVED_EVERY = 256  # photos that an interruption may cost


def score_and_keep(
    scorer: AestheticScorer,
    photos: Sequence[Path],
    file: Path,
    *,
    batch_size: int = 32,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[np.ndarray, dict[int, PhotoError]]:
    """Raw scores of photos; those that the file has, of photos that did not change, cost nothing.

    The file is written every few hundred photos. One of another scorer, or a damaged one, is
    replaced: it holds nothing that cannot be made again.

    Args:
        scorer: runs on the device it is on.
        photos: paths.
        file: JSON; made where it is missing.
        batch_size: photos for each pass.
        progress: called with (photos done, photos in all).

    Returns:
        (n,) float64 with NaN for each photo that cannot be read, and why, by position.

    A file that cannot be written is warned of, once.
    """
    names = [photo.as_posix() for photo in photos]
    of = header(scorer, names, list(photos), batch_size)
    states = of.pop("photos")
    known = _known(file, of)
    scores, failures = np.full(len(photos), np.nan), dict[int, PhotoError]()
    missing = list[int]()
    for place, name in enumerate(names):
        state, score = known.get(name, (None, None))
        if score is not None and state == states[name]:
            scores[place] = score
        else:
            missing.append(place)
    done = len(photos) - len(missing)

    kept = True

    def told(new: int, _: int) -> None:
        if progress is not None:
            progress(done + new, len(photos))

    told(0, 0)
    for start in range(0, len(missing), SAVED_EVERY):
        part = missing[start : start + SAVED_EVERY]
        found, failed = scorer.score_readable(
            [photos[place] for place in part],
            batch_size=batch_size,
            calibrated=False,
            progress=told,
        )
        done += len(part)
        scores[part] = found
        failures |= {part[i]: error for i, error in failed.items()}
        known |= {
            names[place]: (states[names[place]], float(scores[place]))
            for place in part
            if np.isfinite(scores[place])
        }
        kept = kept and _keep(file, {"format_version": FORMAT_VERSION, "of": of, "photos": known})
    return scores, failures


def _keep(file: Path, content: dict[str, Any]) -> bool:
    """Write the file; whether that went well."""
    try:
        write_json(file, content, indent=None)
    except OutputError as error:
        warnings.warn(f"scores cannot be kept for another run: {error}", stacklevel=1)
        return False
    return True


def _known(file: Path, of: dict[str, Any]) -> dict[str, tuple[str, float]]:
    """State and score of photos by name; none of a file of another scorer or a damaged one."""
    if not file.is_file():
        return {}
    try:
        kept = read_config(file.parent, file.name)
    except FormatError:
        return {}
    if kept.get("of") != of or not isinstance(kept.get("photos"), dict):
        return {}
    return {name: (str(entry[0]), float(entry[1])) for name, entry in kept["photos"].items()}
