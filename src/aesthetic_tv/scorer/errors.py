"""The errors of the scorer; kept free of imports so that the scorer also works as remote code."""


class AestheticTVError(Exception):
    """Base of every error this library raises on purpose."""


class PhotoError(AestheticTVError, OSError):
    """A photo that cannot be scored: missing, not an image, cut off, or too large."""


class ScorerError(AestheticTVError, ValueError):
    """A checkpoint that is not what an aesthetic scorer needs."""


class SettingError(AestheticTVError, ValueError):
    """A setting outside its range, or one that has nothing to do where it was given."""
