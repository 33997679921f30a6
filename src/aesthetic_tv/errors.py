"""Every error this library raises on purpose, in one place.

AestheticTVError
├── PhotoError             a photo that cannot be read (OSError)
├── MetadataError          what stands in or beside a photo cannot be read
├── SettingError           a setting that cannot be
├── RecipeError            a recipe of a bank that cannot be
├── ScorerError            a scorer that is none, or damaged
├── BaseMismatchError      made for another base
├── FormatError            a file of ours that is damaged
│   └── FeatureFileError
├── PreferenceError        nothing can be learned from it
│   └── RatingsFileError
├── TableError             a table that cannot be read
├── DatabaseError
│   ├── OverlapError       photos on both sides
│   ├── ArchiveError       broken, or not safe to unpack
│   └── SourceError        a database that cannot be fetched
├── DivergedError          a loss that is no number (ArithmeticError)
├── ResumeError            cannot go on from there
├── ExportError            a scorer that cannot leave torch, or an export that is none
├── OutputError            cannot be written (OSError)
├── HubError (OSError)
│   ├── HubNotFoundError
│   ├── HubAccessError
│   ├── HubUnreachableError
│   └── HubConflictError
└── ImmichError (OSError)
    ├── ImmichAccessError
    ├── ImmichUnreachableError
    └── ImmichRefusedError (ValueError)

Where no other is named, they are ValueErrors as well.
"""

from collections.abc import Sequence
from typing import Any

from aesthetic_tv.scorer.errors import (
    AestheticTVError,
    PhotoError,
    ScorerError,
    SettingError,
)


class RecipeError(AestheticTVError, ValueError):
    """A recipe of a bank with keys or values that cannot be; names file, line and key."""


class BaseMismatchError(AestheticTVError, ValueError):
    """A task vector, bank or personalization that was made for another base."""


class FormatError(AestheticTVError, ValueError):
    """A file of ours that is cut off, damaged, or of a version this library does not know."""


class DivergedError(AestheticTVError, ArithmeticError):
    """A training whose loss is not a finite number any more."""


class ResumeError(AestheticTVError, ValueError):
    """A run that cannot go on from where another one stopped."""


class MetadataError(AestheticTVError, ValueError):
    """XMP or EXIF in or beside a photo that cannot be read, or not be changed without harm."""


class ExportError(AestheticTVError, ValueError):
    """A scorer that cannot be exported, or an export that cannot be run or is none."""


class PreferenceError(AestheticTVError, ValueError):
    """Ratings, pairs or a ranking that nothing can be learned from."""


class TableError(AestheticTVError, ValueError):
    """A table that cannot be read: of another format, damaged, or without the columns."""


class RatingsFileError(PreferenceError):
    """A ratings file with lines that cannot be used; the message names each line."""


class FeatureFileError(FormatError):
    """A file of photo features that is damaged, or that belongs to another bank."""


class DatabaseError(AestheticTVError, ValueError):
    """A database that cannot be read: its files are missing, or hold what cannot be used."""


class OverlapError(DatabaseError):
    """Photos that are in two sets which must share none; the message names them.

    Attributes:
        overlaps: all of them, as `databases.overlap.Overlap`.
    """

    def __init__(self, message: str, overlaps: Sequence[Any] = ()):
        super().__init__(message)
        self.overlaps = tuple(overlaps)


class ArchiveError(DatabaseError):
    """An archive that is cut off or damaged, or holds what may not be unpacked; nothing was."""


class SourceError(DatabaseError):
    """A database that cannot be fetched from where it is published; the message names both."""


class OutputError(AestheticTVError, OSError):
    """An output that cannot be written, or that would overwrite something else."""


class HubError(AestheticTVError, OSError):
    """A Hub that refuses or fails; the message names repo and revision and tells the way out."""


class HubNotFoundError(HubError, FileNotFoundError):
    """A repo, revision or file that the Hub does not have, or hides from this token."""


class HubAccessError(HubError, PermissionError):
    """A repo that needs a token, or a token with more rights."""


class HubUnreachableError(HubError, ConnectionError):
    """No network, or offline mode, and what was asked for is not in the cache."""


class HubConflictError(HubError, FileExistsError):
    """A push to a repo that someone else changed meanwhile, or to a tag that is taken."""


class ImmichError(AestheticTVError, OSError):
    """An Immich server that fails, is none, or is of a version that is not known here; the message
    names its address and tells the way out.
    """


class ImmichAccessError(ImmichError, PermissionError):
    """A key that the server does not know, or that lacks a permission; the message names it."""


class ImmichUnreachableError(ImmichError, ConnectionError):
    """No answer, or one that broke off, however often it was tried."""


class ImmichRefusedError(ImmichError, ValueError):
    """A request that the server understood and will not do.

    Attributes:
        reason: in the server's own words.
    """

    def __init__(self, message: str, reason: str = ""):
        super().__init__(message)
        self.reason = reason


__all__ = [
    "AestheticTVError",
    "ArchiveError",
    "BaseMismatchError",
    "DatabaseError",
    "DivergedError",
    "ExportError",
    "FeatureFileError",
    "FormatError",
    "HubAccessError",
    "HubConflictError",
    "HubError",
    "HubNotFoundError",
    "HubUnreachableError",
    "ImmichAccessError",
    "ImmichError",
    "ImmichRefusedError",
    "ImmichUnreachableError",
    "MetadataError",
    "OutputError",
    "OverlapError",
    "PhotoError",
    "PreferenceError",
    "RatingsFileError",
    "RecipeError",
    "ResumeError",
    "ScorerError",
    "SettingError",
    "SourceError",
    "TableError",
]
