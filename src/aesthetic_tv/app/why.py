"""Why: what a taste is made of, in photos of the album and in words."""

from typing import Any

from aesthetic_tv.app.album import photo_id
from aesthetic_tv.app.taste import Taste
from aesthetic_tv.personalization.traits import likings, trait_scores

SHOWN = 6  # photos that have most of a trait, and least
# How much more than the generic score, from the least liking on.
MUCH, MORE, A_LITTLE = 0.6, 0.35, 0.15
# What the tasks of the embedded banks are called, and what a photo shows that has much of it.
WORDS = {
    "technical": ("Sharp and clean", "sharp, clean, rightly exposed"),
    "colour": ("Rich colour", "rich, harmonious colour"),
    "light": ("Even light", "neither too dark nor too bright, tones well spread"),
    "composition": ("Composition", "a subject well placed, a level horizon, room around it"),
    "simplicity": ("Calm and simple", "few things, calm surfaces"),
    "warmth": ("Warm mood", "warm and bright rather than cool and gloomy"),
    "animals": ("Animals", "shows animals"),
    "plants": ("Plants", "shows plants"),
    "landscape": ("Landscape", "shows landscape"),
    "buildings": ("Buildings", "shows buildings"),
    "vehicles": ("Vehicles", "shows vehicles"),
}
NOTE = (
    "How much more, or less, you seem to like each trait than one taste for all does, from your "
    "answers so far. Traits of one photo come together, so one may stand for another."
)


def traits(taste: Taste) -> list[dict[str, Any]]:
    """The traits of a taste, the one that sets it apart most first.

    Args:
        taste: on an album.
    """
    rows = taste.scope
    model = taste.fit.album.model.subset(rows)
    amounts = trait_scores(model)
    liked = likings(
        amounts, taste.scores[rows], taste.fit.album.scores[rows], taste.fit.deviations[rows]
    )
    found = []
    for k in sorted(range(len(liked)), key=lambda k: -abs(liked[k])):
        task = taste.fit.album.bank.names[k]
        name, words = WORDS.get(task, (task.replace("_", " ").capitalize(), ""))
        order = amounts[:, k].argsort(kind="stable")
        ids = [photo_id(taste.names[rows[i]]) for i in order]
        found.append(
            {
                "name": name,
                "words": words,
                "liking": round(float(liked[k]), 3),
                "text": in_words(float(liked[k])),
                "most": ids[::-1][:SHOWN],
                "least": ids[:SHOWN],
            }
        )
    return found


def in_words(liking: float) -> str:
    """How much a trait is liked.

    Args:
        liking: in [-1, 1]; 0 is as much as by one taste for all.
    """
    size = abs(liking)
    if size < A_LITTLE:
        return "about as much as most"
    than = "more than most" if liking > 0 else "less than most"
    return f"{'much ' if size >= MUCH else '' if size >= MORE else 'a little '}{than}"
