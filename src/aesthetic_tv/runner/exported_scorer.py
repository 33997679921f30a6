"""An exported taste that scores photos."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from aesthetic_tv.errors import ExportError, PhotoError
from aesthetic_tv.runner.photo_pixels import photo_levels, photo_pixels
from aesthetic_tv.runner.sessions import opened
from aesthetic_tv.scorer.decoding import Photo, as_photos, photo_name

BATCH = 16  # photos of a pass
BATCH_VALUES = 3 * 16_000_000  # of all photos of a pass; the graph makes floats of them


class ExportedScorer:
    """Scores photos as the scorer that was exported does.

    Args:
        path: `.onnx`, or the `.xml` of OpenVINO with its `.bin` beside it.
        threads: of the processor; all when not given.

    Attributes:
        description: what the export says of itself.

    Raises:
        ExportError: it cannot be run here; the message says why.

    Example:
        >>> ExportedScorer("my-taste.onnx").score(["c.jpg", "d.jpg"])
    """

    def __init__(self, path: str | os.PathLike[str], *, threads: int | None = None):
        self.path = Path(path)
        self.description, self._run = opened(self.path, threads)

    def score(self, photos: Photo | Sequence[Photo], *, calibrated: bool = True) -> np.ndarray:
        """Score photos, higher is better.

        Args:
            photos: paths, PIL images, the bytes of files, or arrays uint8 (H, W, 3); one of them
                or several.
            calibrated: on the person's own scale where the export has one; `False` gives the raw
                scores.

        Returns:
            (n,) float64, one score a photo, in order.

        Raises:
            PhotoError: names every photo that cannot be read.
        """
        scores, failures = self.score_readable(photos, calibrated=calibrated)
        if failures:
            raise PhotoError("\n".join(str(failures[place]) for place in sorted(failures)))
        return scores

    def score_readable(
        self,
        photos: Photo | Sequence[Photo],
        *,
        calibrated: bool = True,
        progress: Callable[[int, int], None] | None = None,
    ) -> tuple[np.ndarray, dict[int, PhotoError]]:
        """As `score`, where a photo that cannot be read does not stop the others.

        Args:
            photos, calibrated: as for `score`.
            progress: called with (photos done, photos in all).

        Returns:
            (n,) float64 with NaN for each photo that cannot be read, and why, by position.
        """
        listed = as_photos(photos)
        scores, failures = np.full(len(listed), np.nan), dict[int, PhotoError]()
        places, loaded = list[int](), list[np.ndarray]()

        def flush() -> None:
            if places:
                scores[places] = self.score_array(np.stack(loaded), calibrated=calibrated)
                places.clear()
                loaded.clear()

        for place, photo in enumerate(listed):
            try:
                values = self._loaded(photo)
            except PhotoError as error:
                name = photo_name(photo, place, len(listed))
                text = str(error)
                failures[place] = error if name in text else PhotoError(f"{name}: {text}")
                continue
            # Photos of one batch have one size.
            if loaded and values.shape != loaded[0].shape:
                flush()
            places.append(place)
            loaded.append(values)
            if len(places) == BATCH or (len(places) + 1) * values.size > BATCH_VALUES:
                flush()
            if progress is not None:
                progress(place + 1, len(listed))
        flush()
        return scores, failures

    def score_array(self, values: np.ndarray, *, calibrated: bool = True) -> np.ndarray:
        """Scores of what goes into the graph: uint8 (n, H, W, 3) or float32 (n, 3, h, w), as the
        description's `takes` says. Float64 (n,).

        Raises:
            ExportError: of another kind or shape than the graph takes.
        """
        kind, ends, axis = (
            (np.uint8, (3,), slice(3, None))
            if self.description.takes == "photos"
            else (np.float32, (3,), slice(1, 2))
        )
        if values.dtype != kind or values.ndim != 4 or values.shape[axis] != ends:
            raise ExportError(
                f"{self.path} takes {self.description.takes}, {np.dtype(kind)} "
                f"{'(n, H, W, 3)' if kind is np.uint8 else '(n, 3, h, w)'}; found {values.dtype} "
                f"{values.shape}."
            )
        found = self._run(np.ascontiguousarray(values))
        return found["scores" if calibrated else "raw_scores"].astype(np.float64)

    def _loaded(self, photo: Photo) -> np.ndarray:
        settings = self.description.pixels
        if self.description.takes == "photos":
            return photo_levels(photo, settings)
        if settings is None:
            kind = self.description.processor.get("image_processor_type", "of another kind")
            raise ExportError(
                f"{self.path}: its image processor ({kind}) does what cannot be done here; make "
                "pixel values with it, and give them to score_array."
            )
        return photo_pixels(photo, settings)
