"""Every error this library raises on purpose, in one place."""

from aesthetic_tv.scorer.errors import AestheticTVError, PhotoError, ScorerError


class BaseMismatchError(AestheticTVError, ValueError):
    """A task vector, bank or personalization that was made for another base."""


class FormatError(AestheticTVError, ValueError):
    """A file of ours that is cut off, damaged, or of a version this library does not know."""


class SettingError(AestheticTVError, ValueError):
    """A setting outside its range."""


class PreferenceError(AestheticTVError, ValueError):
    """Ratings, pairs or a ranking that nothing can be learned from."""


class RatingsFileError(PreferenceError):
    """A ratings file with lines that cannot be used; the message names each line."""


class OutputError(AestheticTVError, OSError):
    """An output that cannot be written, or that would overwrite something else."""


__all__ = [
    "AestheticTVError",
    "BaseMismatchError",
    "FormatError",
    "OutputError",
    "PhotoError",
    "PreferenceError",
    "RatingsFileError",
    "ScorerError",
    "SettingError",
]
