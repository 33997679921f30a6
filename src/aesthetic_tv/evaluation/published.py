"""Figures that were published for the method, to stand beside measured ones.

Only what was seen in a source is here, and `source` says in which; what is absent is not at hand.
The sources so far repeat the paper's figures; they are not the paper itself, so check a figure
there (Yun & Choo, ECCV 2024, arXiv 2407.07176) before citing it. None told standard deviations, nor
which of the paper's tables a figure stands in beyond the protocol.
"""

from dataclasses import dataclass
from typing import Literal

METHOD = "task vector customization"  # the paper's own; `paper` in an evaluation
NOT_AT_HAND = "not at hand"

_CULLING = (
    "a review of tools for photo culling on GitHub, which calls it the paper's cross-database "
    "result; REAL-CUR also in a review on photo curation"
)
_CURATION = (
    "a review on photo curation on GitHub, in its table of personalized aesthetics by published "
    "SROCC (10 / 100 photos of a person)"
)


@dataclass(frozen=True)
class Published:
    """One published figure.

    Attributes:
        method: as its authors call it.
        database: of the people tested.
        shots: ratings of each person.
        srocc: mean over people.
        protocol: `cross` if the people's database was not trained on, `intra` if it was; `unknown`
            where the source does not say.
        source: where the figure was seen.
        sd: over draws; `None` where the source does not say.
    """

    method: str
    database: str
    shots: int
    srocc: float
    protocol: Literal["cross", "intra", "unknown"]
    source: str
    sd: float | None = None


def _both(
    method: str,
    database: str,
    ten: float | None,
    hundred: float,
    protocol: Literal["cross", "intra", "unknown"],
    source: str,
) -> list[Published]:
    return [
        Published(method, database, shots, srocc, protocol, source)
        for shots, srocc in ((10, ten), (100, hundred))
        if srocc is not None
    ]


FIGURES: tuple[Published, ...] = (
    *_both(METHOD, "aadb", 0.556, 0.654, "cross", _CULLING),
    *_both(METHOD, "real-cur", 0.577, 0.621, "cross", _CULLING),
    *_both(METHOD, "flickr-aes", 0.668, 0.748, "unknown", _CURATION),
    *_both("PAM", "flickr-aes", 0.513, 0.524, "unknown", _CURATION),
    *_both("PA-IAA", "flickr-aes", 0.543, 0.639, "unknown", _CURATION),
    *_both("PA-IAA", "real-cur", 0.443, 0.562, "unknown", _CURATION),
    *_both("BLG-PIAA", "flickr-aes", 0.561, 0.669, "unknown", _CURATION),
    *_both("BLG-PIAA", "real-cur", 0.448, 0.578, "unknown", _CURATION),
    *_both("TAPP-PIAA", "flickr-aes", 0.591, 0.685, "unknown", _CURATION),
)


def published(database: str, shots: int, method: str | None = None) -> list[Published]:
    """What was published for a database and number of shots, of all methods or of one.

    Empty where nothing is at hand.
    """
    return [
        figure
        for figure in FIGURES
        if (figure.database, figure.shots) == (database, shots) and method in (None, figure.method)
    ]
