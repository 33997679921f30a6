"""Answers as a page sends them: numbered and in batches, so that none is lost where a reply is, and
none is given twice.
"""

from collections.abc import Sequence
from typing import Any

from aesthetic_tv.app.answers import PICK, REJECT
from aesthetic_tv.app.session import Session
from aesthetic_tv.app.visits import Page
from aesthetic_tv.errors import AestheticTVError, PreferenceError

FLAGS = {"pick": PICK, "reject": REJECT, "unflag": 0}

Refused = list[tuple[int, str]]


class GapError(AestheticTVError, ValueError):
    """Answers that came before these are missing."""


def give(session: Session, page: Page, answers: Sequence[Any]) -> Refused:
    """Give a page's answers, in order, each once.

    Args:
        session: of the visit.
        page: that sends them; the number of the last one that was done is kept there.
        answers: each with `seq`, one more than that of the one before; those up to `page.done` are
            passed over.

    Returns:
        The answers that could not be given, by number, and why; they count as done, or the page
        would send them for ever.

    Raises:
        PreferenceError: something that is no answer; nothing was done.
        GapError: an answer before these has not arrived; nothing was done.
    """
    numbers = [_number(answer) for answer in answers]
    refused: Refused = []
    with session.batch():
        fresh = [number for number in numbers if number > page.done]
        if fresh != list(range(page.done + 1, page.done + 1 + len(fresh))):
            raise GapError(f"answers up to {page.done} are here; go on with {page.done + 1}.")
        for number, answer in zip(numbers, answers, strict=True):
            if number <= page.done:
                continue
            try:
                _give(session, answer)
            except AestheticTVError as error:
                refused.append((number, str(error)))
            page.done = number
    return refused


def _number(answer: Any) -> int:
    number = answer.get("seq") if isinstance(answer, dict) else None
    if type(number) is not int or number < 1:
        raise PreferenceError(f"{str(answer)[:80]} is no answer with a `seq` from 1 on.")
    return number


def _give(session: Session, answer: dict[str, Any]) -> None:
    what = answer.get("do")
    if what == "undo":
        session.undo()
    elif what == "rate":
        stars: Any = answer.get("stars")
        if type(stars) not in (int, float) or stars * 2 % 1:
            raise PreferenceError(f"{stars!r} is no number of stars; halves are the smallest step.")
        session.rate(session.named(answer.get("photo")), stars)
    elif what == "clear":
        session.clear(session.named(answer.get("photo")))
    elif what == "better":
        session.compare(session.named(answer.get("better")), session.named(answer.get("worse")))
    elif what == "skip":
        session.pass_over(*_skipped(session, answer.get("photos")))
    elif what in FLAGS:
        session.flag(session.named(answer.get("photo")), FLAGS[what])
    else:
        raise PreferenceError(f"{str(what)[:40]!r} is nothing that an answer can do.")


def _skipped(session: Session, photos: Any) -> list[str]:
    if not isinstance(photos, list) or len(photos) not in (1, 2):
        raise PreferenceError("one photo, or a pair, can be skipped.")
    names = [session.named(photo) for photo in photos]
    if len({*names}) < len(names):
        raise PreferenceError("a pair has two photos.")
    return names
