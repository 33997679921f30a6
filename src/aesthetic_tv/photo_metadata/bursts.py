"""Near duplicates in groups: frames of one burst, and twins, the same picture saved once more.

Frames taken within seconds of each other may differ as hands and subjects move. Without times,
only what is the same picture but for light, size and format is put together.

A group has a first frame, and every other is like that one: a chain of likenesses would lead from a
face to the wall behind it, and joining two frames costs more than parting them, as one is lost from
the keepers. So a long pan becomes several groups, each held together by what its first frame shows.
Each photo is compared with few others, by time; only photos without a time are compared with all.
"""

import math
import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aesthetic_tv.errors import SettingError
from aesthetic_tv.photo_metadata.capture import captures
from aesthetic_tv.photo_metadata.likeness import BLOCK, Looks, distances

SECONDS = 3.0  # between neighbours of a burst
# Measured on the 807 OASIS photos in 20 orders, each a second after the other: 0.35 of 807 wrongly
# joined (with a correlation of 0.5: 3.2). Of the frames of 140 simulated bursts, moved by up to 3%
# and edited slightly, 93% of the pairs share a group, and none of two photos does; by bits alone,
# 65%. Without times, the one pair within 24 bits is a photo and its crop.
ALIKE, CORRELATED = 44, 0.6  # bits at most, or correlation at least, of frames of one camera
SAME = 24  # bits at most, of the same picture without a time, or by another camera
OPEN = 16  # bursts that may go on at the same time, of several cameras
CROWD = 150  # frames of one camera at the very same time, above which its clock stands still


def bursts(
    photos: Sequence[object],
    *,
    times: Sequence[float | None],
    looks: Looks,
    cameras: Sequence[str] | None = None,
    seconds: float = SECONDS,
) -> list[list[int]]:
    """Group near duplicates. What is found does not depend on the order of the photos.

    Args:
        photos: n names, as paths; they order photos of the same time.
        times: when each was taken, in seconds, as the camera's clock had it; `None` or NaN where
            that is not known.
        looks: of the same photos.
        cameras: of each; frames of two cameras share a burst only when they are the same picture.
            All of one camera when not given.
        seconds: that may lie between neighbours of a burst.

    Returns:
        Groups of positions, each photo in exactly one; single photos are groups of one. By time
        and name inside a group; the groups by their lowest position.

    Raises:
        SettingError: `seconds` is no time, or the arguments are not of the same length.
    """
    cameras = [""] * len(photos) if cameras is None else cameras
    _check(len(photos), len(times), len(looks), len(cameras), seconds)
    clock = _believed(times, cameras)
    places = range(len(photos))

    def key(place: int) -> tuple[Any, ...]:
        return clock[place], _natural(str(photos[place])), looks.bits[place].tobytes()

    timed = sorted((place for place in places if math.isfinite(clock[place])), key=key)
    timeless = sorted((place for place in places if not math.isfinite(clock[place])), key=key)
    groups = _in_time(timed, clock, cameras, looks, seconds)
    _add_twins(groups, timed, timeless, looks)
    return sorted(groups, key=min)


def bursts_of(
    photos: Sequence[str | os.PathLike[str]],
    *,
    seconds: float = SECONDS,
    progress: Callable[[int, int], None] | None = None,
) -> list[list[int]]:
    """As `bursts`, of files: what their EXIF tells is read here, and what those show that may be
    near duplicates of others. A photo that cannot be decoded is a group of its own.

    Args:
        photos: paths, one for each photo: of RAW and JPEG of one shot, the JPEG (see `shots`).
        seconds: that may lie between neighbours of a burst.
        progress: called with (photos done, photos that have to be looked at).
    """
    taken = captures(photos)
    times, cameras = [frame.local for frame in taken], [frame.camera for frame in taken]
    among = _neighbours(_believed(times, cameras), seconds)
    return bursts(
        photos,
        times=times,
        looks=Looks.of(photos, among=among, progress=progress),
        cameras=cameras,
        seconds=seconds,
    )


def _neighbours(clock: Sequence[float], seconds: float) -> list[int]:
    """Positions of photos that may have near duplicates: all, where one has no time."""
    times = np.array(clock, dtype=float)
    if not np.isfinite(times).all() or not len(times):
        return list(range(len(times)))
    order = np.argsort(times, kind="stable")
    close = np.diff(times[order]) <= seconds
    return sorted(order[np.append(close, False) | np.append(False, close)].tolist())


@dataclass
class _Burst:
    """Frames so far: the first one is what all others are like."""

    frames: list[int]
    camera: str
    last: float


def _in_time(
    order: Sequence[int],
    clock: Sequence[float],
    cameras: Sequence[str],
    looks: Looks,
    seconds: float,
) -> list[list[int]]:
    """Photos by time into bursts; each joins the one that it is most like, of those still open."""
    found, going = list[_Burst](), list[_Burst]()
    for place in order:
        going = [burst for burst in going if clock[place] - burst.last <= seconds][-OPEN:]
        likeness = [
            _likeness(looks, burst.frames[0], place, cameras[place] == burst.camera)
            for burst in going
        ]
        best = min(range(len(going)), key=likeness.__getitem__, default=None)
        if best is None or likeness[best] > ALIKE:
            burst = _Burst([place], cameras[place], clock[place])
            found.append(burst)
        else:
            burst = going.pop(best)
            burst.frames.append(place)
            burst.last = clock[place]
        going.append(burst)
    return [burst.frames for burst in found]


def _likeness(looks: Looks, first: int, second: int, one_camera: bool) -> float:
    """In bits, the less the more alike; infinite where they are not."""
    distance = looks.distance(first, second)
    if distance <= (ALIKE if one_camera else SAME):
        return distance
    if one_camera and looks.correlation(first, second) >= CORRELATED:
        return ALIKE
    return math.inf


def _add_twins(
    groups: list[list[int]], timed: Sequence[int], timeless: Sequence[int], looks: Looks
) -> None:
    """Put photos without a time into the group of the same picture, or into groups of their own."""
    of_photo = {place: group for group in groups for place in group}
    known = [place for place in timeless if looks.known[place]]
    groups += [[place] for place in timeless if not looks.known[place]]
    others = np.array([place for place in timed if looks.known[place]], dtype=int)
    for start in range(0, len(known), BLOCK):
        block = known[start : start + BLOCK]
        bits = looks.bits[block]
        nearest, least = _nearest(bits, looks.bits[others])
        among = distances(bits, bits)
        begun = list[int]()  # rows of the block that are the first of their group
        for row, place in enumerate(block):
            near = begun[among[row, begun].argmin()] if begun else None
            if least[row] <= SAME and (near is None or least[row] <= among[row, near]):
                of_photo[int(others[nearest[row]])].append(place)
            elif near is not None and among[row, near] <= SAME:
                of_photo[block[near]].append(place)
            else:
                begun.append(row)
                of_photo[place] = [place]
                groups.append(of_photo[place])
        others = np.append(others, np.array(block, dtype=int)[begun])


def _nearest(bits: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each of m hashes the nearest of p others, the first of those, and its distance: (m,)."""
    if not len(others):
        return np.zeros(len(bits), dtype=int), np.full(len(bits), np.iinfo(np.int32).max)
    found = distances(bits, others)
    nearest = found.argmin(1)
    return nearest, found[np.arange(len(bits)), nearest]


def _believed(times: Sequence[float | None], cameras: Sequence[str]) -> list[float]:
    """The times, infinite where there is none or the clock stands still."""
    clock = [math.inf if time is None or not math.isfinite(time) else float(time) for time in times]
    frames = Counter(zip(cameras, clock, strict=True))
    return [
        math.inf if frames[camera, time] > CROWD else time
        for camera, time in zip(cameras, clock, strict=True)
    ]


def _natural(name: str) -> list[tuple[int, str]]:
    """Numbers in a name by their size, so that `DSC_9` comes before `DSC_10`."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _check(photos: int, times: int, looks: int, cameras: int, seconds: float) -> None:
    if len({photos, times, looks, cameras}) > 1:
        raise SettingError(
            f"{photos} photos, {times} times, {looks} looks and {cameras} cameras; expected one of "
            "each for every photo."
        )
    if not (math.isfinite(seconds) and seconds >= 0):
        raise SettingError(f"{seconds} seconds between frames; expected a number of 0 or more.")
