"""The six judgements of the embedded bank: how good a picture is, seen six ways.

Each is a function of what is known of a picture (`pictures.FACTS`) to a score in 0..1.
"""

from collections.abc import Callable

import numpy as np

Facts = dict[str, np.ndarray]


def technical(facts: Facts) -> np.ndarray:
    """Sharp, clean, rightly exposed: each fault takes its share of what is left."""
    return (
        (1 - 0.85 * facts["blur"])
        * (1 - 0.85 * facts["noise"])
        * (1 - 0.5 * facts["jpeg"])
        * (1 - 0.35 * np.abs(facts["exposure"]))
    )


def colour(facts: Facts) -> np.ndarray:
    """Rich, harmonious colour; the best is vivid, beyond it gaudy."""
    richness = facts["colourfulness"] / 75
    richness = np.where(richness <= 1, richness, np.maximum(0, 1 - 0.5 * (richness - 1)))
    harmony = np.nan_to_num(facts["harmony"], nan=0.6)
    return richness * (0.75 + 0.25 * harmony)


def light(facts: Facts) -> np.ndarray:
    """Neither too dark nor too bright, tones well spread, little lost in black or white."""
    exposure = np.exp(-((1.5 * facts["exposure"]) ** 2))
    contrast = np.exp(-((0.9 * facts["contrast"]) ** 2))
    lost = np.minimum(1, 2 * (facts["shadows"] + facts["highlights"]))
    middle = np.exp(-(((facts["brightness"] - 118) / 75) ** 2))
    return (0.7 * exposure + 0.3 * middle) * (0.6 + 0.4 * contrast) * (1 - 0.5 * lost)


def composition(facts: Facts) -> np.ndarray:
    """A subject well placed, a level horizon, room around it; a photograph's own counts as fair."""
    own = np.nan_to_num(facts["composition"], nan=0.6)
    return own * (1 - 0.6 * facts["crop"]) * (1 - 0.6 * facts["tilt"])


def simplicity(facts: Facts) -> np.ndarray:
    """Few things and calm surfaces, by the scene's own count and the edges in the picture."""
    calm = 1 / (1 + np.exp(2.2 * (facts["detail"] - 2.8)))
    known = facts["simplicity"]
    return np.where(np.isnan(known), calm, 0.5 * known + 0.5 * calm)


def warmth(facts: Facts) -> np.ndarray:
    """Warm and bright in mood rather than cool and gloomy."""
    warm = 1 / (1 + np.exp(-facts["warm"] / 22))
    bright = 1 / (1 + np.exp(-(facts["brightness"] - 105) / 40))
    return 0.8 * warm + 0.2 * bright


JUDGEMENTS: dict[str, Callable[[Facts], np.ndarray]] = {
    "technical": technical,
    "colour": colour,
    "light": light,
    "composition": composition,
    "simplicity": simplicity,
    "warmth": warmth,
}
# The task model that should notice an edit.
EDIT_JUDGEMENT = {
    "blur": "technical",
    "noise": "technical",
    "underexposure": "light",
    "overexposure": "light",
    "desaturation": "colour",
}
