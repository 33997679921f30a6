"""What the page says, in plain words and without markup: the page shows it as text."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from aesthetic_tv.app.answers import Answers
from aesthetic_tv.app.session import ANSWERS, Session
from aesthetic_tv.app.settings import AppSettings
from aesthetic_tv.names import written
from aesthetic_tv.personalization.honesty import Figures

TITLE = "Your taste in photos"
SHOWN_REASONS = 5
# Ratings after which a person's own order was better than one for all for four of five people: 77
# of 100 at 20, 83 at 50 (benchmarks/RESULTS.md, "People as the prior"). Fewer go by one's own
# figures: who is shown to be better off needs no more.
USUAL = 35
SOME = 10  # below these nothing can be told of the order yet

NOTHING_TO_KEEP = {
    "best": "No photo was looked at yet; wait a moment.",
    "picks": "Nothing is picked yet; pick photos with the key P.",
}

Level = Literal["none", "little", "learning", "known"]
Order = Literal["quick", "exact", "too large"]
ORDERS: dict[Order, str] = {
    "quick": "quick estimate; made exact when you pause",
    "exact": "exact",
    "too large": "quick estimate; the album is too large for the exact one here",
}


def level(session: Session, found: Figures | None) -> Level:
    """How well the person is known: `none` before there is an order."""
    count = len(session.answers)
    if session.fit() is None:
        return "none"
    if found is not None and found.outcome == "better":
        return "known"
    return "little" if count < SOME else "learning"


def standing(session: Session, found: Figures | None) -> str:
    """How far the person is, in a sentence."""
    answers, counted = session.answers, session.counted
    count, told = len(answers), how_many(answers)
    if session.fit() is None:
        missing = ANSWERS - len(counted)
        if count >= ANSWERS and missing > 0:
            return f"{told}. Your order comes as soon as those photos were looked at."
        if missing > 0:
            more = "1 more" if missing == 1 else f"{missing} more"
            begun = f"{told}. " if count else "I don't know your taste yet. "
            return f"{begun}{more}, and your photos are put into your order."
        return f"{told}, all the same so far: give one photo more or fewer stars."
    left = USUAL - count
    if level(session, found) == "known":
        return f"I know your taste by now: {told}. Each further one makes it surer."
    if left > 0:
        knows = "I don't know your taste yet" if count < SOME else "I am getting to know your taste"
        return f"{knows}: {told}, about {left} more usually help."
    return (
        f"I am getting to know your taste: {told}. It is not shown yet that your order is better "
        "than one for all; some tastes take more."
    )


def bar(session: Session, found: Figures | None) -> float:
    """How far the person is, in [0, 1]."""
    known = level(session, found) == "known"
    return 1.0 if known else min(len(session.counted) / USUAL, 0.95)


def verdict(found: Figures | None) -> str:
    """Whether the person's own order is better, in plain words; empty while nothing can be told."""
    if found is None:
        return ""
    return {
        "better": "Your own order fits your stars better than one order for all.",
        "better, but not than chance": (
            "Your own order fits better than one for all, but neither fits your stars well yet."
        ),
        "worse": "One order for all fits your stars better so far; rate some more.",
        "unknown": "Your own order is not shown to be better than one for all yet.",
    }[found.outcome]


def details(session: Session, sureness: float | None, order: Order) -> list[tuple[str, str]]:
    """Numbers for those who want them."""
    answers = session.answers
    rows = [("Photos rated", str(len(answers.ratings)))]
    if answers.pairs:
        rows.append(("Pairs compared", str(len(answers.pairs))))
    if answers.passed or answers.passed_pairs:
        rows.append(("Skipped", str(len(answers.passed) + len(answers.passed_pairs))))
    if sureness is not None:
        rows.append(("Sure of the order of two photos", f"{sureness:.0%} (50% is a coin toss)"))
        rows.append(("Order", ORDERS[order]))
    return rows


def how_many(answers: Answers) -> str:
    """How many of each kind."""
    parts = []
    if answers.ratings or not answers.pairs:
        parts.append(_counted(len(answers.ratings), "rating"))
    if answers.pairs:
        parts.append(_counted(len(answers.pairs), "comparison"))
    return ", ".join(parts)


def looking(session: Session) -> str:
    """How far the photos were looked at; empty when all were and nothing is amiss."""
    lines = []
    done, total = session.progress
    if session.error:
        lines.append(f"No order can be made: {session.error} Your ratings are kept.")
    elif done < total:
        lines.append(f"Looking at your photos: {done} of {total}. You can rate meanwhile.")
    if broken := session.broken:
        named = ", ".join(list(broken)[:SHOWN_REASONS])
        more = f" and {len(broken) - SHOWN_REASONS} more" if len(broken) > SHOWN_REASONS else ""
        lines.append(f"Cannot be read and left out: {named}{more}.")
    if session.album.left_out:
        lines.append(session.album.left_out)
    absent = session.answers.known - session.paths.keys()
    if absent:
        lines.append(
            f"You answered for {_counted(len(absent), 'photo')} not here (any more). Add them "
            "again, by the same names, and your answers count."
        )
    return "\n".join(lines)


def unsaved(session: Session) -> str:
    """Why answers are not on disk; empty where they are, or are not meant to be."""
    if not session.unsaved:
        return ""
    return (
        f"Not saved: {session.unsaved} Your browser keeps your answers, and each new answer is a "
        "new try."
    )


def found_stars(found: Answers) -> str:
    """Stars that photos have already."""
    parts = []
    if found.ratings:
        parts.append(f"{_counted(len(found.ratings), 'photo')} with stars")
    if found.flags:
        parts.append(f"{_counted(len(found.flags), 'photo')} rejected")
    return f"Found {' and '.join(parts)}, in the photos or beside them."


def used_stars(found: Answers) -> str:
    """Stars that photos had were taken as ratings."""
    if not found.ratings and not found.flags:
        return "There are no stars in the photos that are not here already."
    return f"{_counted(len(found.ratings), 'rating')} taken from the photos."


def stars_planned(changed: int, kept: int) -> str:
    """What would be written."""
    text = f"{_counted(changed, 'photo')} would get stars, in sidecars beside them."
    return text + (f" {_counted(kept, 'photo')} stay as they are." if kept else "")


def stars_written(files: int, failed: int) -> str:
    """What was written."""
    text = f"{_counted(files, 'sidecar')} written; the photos themselves are untouched."
    return text + (f" {failed} could not be written." if failed else "")


def stars_undone(files: int, failed: int) -> str:
    """What was taken back."""
    text = f"{_counted(files, 'sidecar')} as before."
    return text + (f" {failed} were left alone." if failed else "")


def to_copy(photos: int, files: int, folder: Path) -> str:
    """What would be copied."""
    return f"{_counted(photos, 'photo')} ({_counted(files, 'file')}) would go to {written(folder)}."


def copied(new: int, there: int, folder: Path) -> str:
    """What was copied."""
    text = f"{_counted(new, 'file')} in {written(folder)} now."
    return text + (f" {there} were there before." if there else "")


def album(settings: AppSettings) -> str:
    """What the album is called."""
    if settings.album is None:
        return "Sample photos"
    folder = settings.album.resolve()
    return written(folder.name or str(folder))


def refused(sentences: Sequence[str]) -> list[str]:
    """Files that were not taken, and why: the first few."""
    shown = list(sentences[:SHOWN_REASONS])
    if len(sentences) > SHOWN_REASONS:
        shown.append(f"and {len(sentences) - SHOWN_REASONS} more")
    return shown


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
