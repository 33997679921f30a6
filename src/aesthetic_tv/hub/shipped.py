"""Templates that lie beside the modules in the wheel, and at the top of a checkout."""

from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def shipped(name: str) -> Path:
    """The folder of that name, such as `hub_cards` or `spaces`."""
    places = (PACKAGE / name, PACKAGE.parents[1] / name)
    return next(place for place in places if place.is_dir())
