"""Figures that were published for the method and those before it, to stand beside measured ones.

Only what was seen in a source is here, and `source` says in which; all else is not at hand. The
sources so far repeat the paper's figures (Yun & Choo, ECCV 2024, arXiv 2407.07176), without
standard deviations and without the number of the table: look a figure up there before citing it.
"""

from dataclasses import dataclass

# Tables of personal methods, and the protocol they are measured by; of the others nothing is known.
COMPARISONS = ("table2", "table3", "table4", "flickr-aes")
OWN = "paper"  # the paper's own method, as an evaluation calls it

_CULLING = "repeated in a review of tools for photo culling, as the paper's cross-database result"
_CURATION = (
    "repeated in a review of methods for photo curation, in a table of SROCC with 10 and 100 "
    "photos of a person; whether the people's database was trained on is not said"
)


@dataclass(frozen=True)
class Published:
    """One published figure.

    Attributes:
        method: `paper`, or the name its authors gave it.
        database: of the people tested, as the registry calls it.
        shots: ratings of each person.
        srocc: mean over people.
        source: where the figure was seen.
        sd: over draws, where the source tells it.
    """

    method: str
    database: str
    shots: int
    srocc: float
    source: str
    sd: float | None = None

    @property
    def told(self) -> str:
        """As it is shown."""
        return f"{self.srocc:.3f}" + ("" if self.sd is None else f" ± {self.sd:.3f}")


FIGURES = (
    Published(OWN, "aadb", 10, 0.556, _CULLING),
    Published(OWN, "aadb", 100, 0.654, _CULLING),
    Published(OWN, "real-cur", 10, 0.577, _CULLING),
    Published(OWN, "real-cur", 100, 0.621, _CULLING),
    Published(OWN, "flickr-aes", 10, 0.668, _CURATION),
    Published(OWN, "flickr-aes", 100, 0.748, _CURATION),
    Published("PAM", "flickr-aes", 10, 0.513, _CURATION),
    Published("PAM", "flickr-aes", 100, 0.524, _CURATION),
    Published("PA-IAA", "flickr-aes", 10, 0.543, _CURATION),
    Published("PA-IAA", "flickr-aes", 100, 0.639, _CURATION),
    Published("PA-IAA", "real-cur", 10, 0.443, _CURATION),
    Published("PA-IAA", "real-cur", 100, 0.562, _CURATION),
    Published("BLG-PIAA", "flickr-aes", 10, 0.561, _CURATION),
    Published("BLG-PIAA", "flickr-aes", 100, 0.669, _CURATION),
    Published("BLG-PIAA", "real-cur", 10, 0.448, _CURATION),
    Published("BLG-PIAA", "real-cur", 100, 0.578, _CURATION),
    Published("TAPP-PIAA", "flickr-aes", 10, 0.591, _CURATION),
    Published("TAPP-PIAA", "flickr-aes", 100, 0.685, _CURATION),
)


def published(table: str, database: str) -> tuple[Published, ...]:
    """The figures at hand for a table of the paper, or a named protocol, and the database of the
    people tested.

    The sources do not say which of the `COMPARISONS` a figure is from, so each has all of its
    database; nothing is at hand for any other table.
    """
    if table not in COMPARISONS:
        return ()
    return tuple(figure for figure in FIGURES if figure.database == database)
