"""The version of the package, which files and cards note down."""

__version__ = "0.1.0.dev0"
