"""The scripts that made the embedded bank."""
