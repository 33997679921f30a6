"""What the page says, in Markdown."""

import html
from collections.abc import Sequence

from aesthetic_tv.app.answers import Answers
from aesthetic_tv.app.session import ANSWERS, Session
from aesthetic_tv.app.settings import AppSettings
from aesthetic_tv.app.taste import Row, Taste
from aesthetic_tv.assets import SEES
from aesthetic_tv.names import written
from aesthetic_tv.personalization.honesty import Figures

TITLE = "Your taste in photos"
KEYS = "Keys: **1**-**5** stars, **←** **→** the better one, **s** skip, **u** undo."
LOST = (
    "**Not ready.** If this stays, the app was started anew: reload the page. Your browser has "
    "kept your answers."
)
SHOWN_REASONS = 5


def introduction(bank: str) -> str:
    """What the page is for, and what its bank can see, where that is known."""
    return (
        f"# {TITLE}\n"
        "Rate a few photos. After the third, all of them are put into **your** order, beside the "
        f"order of one taste for all. {SEES.get(bank, '')}"
    )


def as_text(text: str) -> str:
    """A photo's name, or a message that names one, so that Markdown and HTML show it as it is.

    The one place where that is done: what comes out is given to Markdown, and not escaped again.
    """
    plain = "".join(f"\\{c}" if c in "\\`*_{}[]()#+!|~" else c for c in text)
    return html.escape(plain, quote=False)  # after it, since entities hold some of these signs


def asking(session: Session, names: Sequence[str], changing: bool) -> str:
    """What is asked of the person, and why."""
    if not names:
        return "**All photos are answered.** Choose one in your order to change its stars."
    if len(names) == 2:
        return "**Which is better?** Choose a photo, or use the keys ← and →."
    name = as_text(names[0])
    if changing:
        stars = session.answers.ratings.get(names[0])
        before = "not rated yet" if stars is None else f"you gave it {stars:g} ★"
        return f"**{name}** · {before}. How do you like it?"
    if session.fit() is None:
        return f"**{name}** · How do you like it?"
    return f"**{name}** · How do you like it? Asked because it would teach most."


def standing(session: Session, taste: Taste | None, verdict: str) -> str:
    """How far the person is, and how sure the order."""
    answers, counted = session.answers, session.counted
    parts = [how_many(answers)]
    missing = ANSWERS - len(counted)
    if taste is not None:
        parts.append(
            f"**{taste.sureness():.0%} sure** of the order of any two photos (50% is a coin toss)"
        )
        if session.polished is not None:
            parts.append("exact scorer")
    elif len(answers) >= ANSWERS and len(counted) < ANSWERS:
        parts.append("your order comes as soon as those photos were looked at")
    elif missing > 0:
        parts.append(f"{missing} more, and your order is here")
    elif not session.error:
        parts.append("all the same so far: give one photo more or fewer stars")
    lines = [" · ".join(parts)]
    if verdict:
        lines.append(verdict)
    return "\n\n".join(lines)


def how_many(answers: Answers) -> str:
    """How many of each kind."""
    parts = []
    if answers.ratings or not answers.pairs:
        parts.append(f"{len(answers.ratings)} rated")
    if answers.pairs:
        parts.append(f"{len(answers.pairs)} compared")
    return ", ".join(parts)


def looking(session: Session) -> str:
    """How far the photos were looked at; empty when all were and nothing is amiss."""
    lines = []
    done, total = session.progress
    if session.error:
        error = as_text(session.error)
        lines.append(f"**No order can be made:** {error} Your ratings are kept.")
    elif done < total:
        lines.append(
            f"Looking at the photos: {done} of {total}. Rate meanwhile; each answer counts as soon "
            "as its photo was looked at."
        )
    if skipped := session.skipped:
        named = ", ".join(as_text(name) for name in list(skipped)[:SHOWN_REASONS])
        more = f" and {len(skipped) - SHOWN_REASONS} more" if len(skipped) > SHOWN_REASONS else ""
        lines.append(f"Cannot be read and left out: {named}{more}.")
    if session.album.left_out:
        lines.append(as_text(session.album.left_out))
    if session.unsaved:
        lines.append(
            f"**Not saved:** {as_text(session.unsaved)} Your browser keeps your answers, and each "
            "new answer is a new try."
        )
    absent = session.answers.known - session.paths.keys()
    if absent:
        lines.append(
            f"You answered for {len(absent)} photos that are not here (any more). Add them again, "
            "by the same names, and your answers count."
        )
    return "\n\n".join(lines)


def caption(row: Row, on_stars: bool) -> str:
    """Below a photo in the person's order."""
    gained = row.generic_rank - row.rank
    moved = f"▲{gained}" if gained > 0 else f"▼{-gained}" if gained < 0 else "="
    score = f"{row.score:.1f}★" if on_stars else f"{row.score:.2f}"
    sure = f"{max(row.upper, 1 - row.upper):.0%} sure"
    last = sure if row.stars is None else f"yours {row.stars:g}★"
    return f"{row.rank}  {moved}  {score}\n{last}"


def figures(found: Figures | None, answers: Answers) -> str:
    """Is personal better than generic, in words and numbers."""
    if found is None:
        return (
            "### Nothing can be told yet\n"
            "Rate at least 4 photos, not all the same. From about 10 on the figures mean something."
        )
    low, high = found.interval
    metric = "rank correlation with your ratings (SROCC, -1 to 1)"
    if found.metric == "pair_accuracy":
        metric = (
            "share of your choices, and of pairs of unequal stars, put right (0.5 is a coin toss)"
        )
    of_mine = ""
    if found.personal_interval is not None:
        of_mine = " ({:.2f} to {:.2f}, 90% interval)".format(*found.personal_interval)
    return (
        f"### {found.verdict}\n"
        f"| {metric} | |\n|---|---|\n"
        f"| your scorer | {found.personal:.2f}{of_mine} |\n"
        f"| one taste for all | {found.generic:.2f} |\n"
        f"| difference | {found.difference:+.2f} ({low:+.2f} to {high:+.2f}, 90% interval) |\n\n"
        f"From {how_many(answers)}, by cross-validation: each photo is judged by a scorer that "
        "never saw your answer for it."
    )


def weights(taste: Taste | None) -> str:
    """What the taste is made of, beside the generic one."""
    if taste is None:
        return f"### Not yet\nGive {ANSWERS} answers, and what your taste is made of is shown here."
    layout = taste.fit.album.bank.layout
    generic = layout.split(taste.fit.album.bank.generic_point)[0].mean(0).tolist()
    mine = layout.split(taste.fit.fit.coefficients)[0].mean(0).tolist()
    names = taste.fit.album.bank.names
    order = sorted(range(len(names)), key=lambda k: generic[k] - mine[k])
    rows = [
        f"| {as_text(names[k])} | {mine[k]:+.2f} | {generic[k]:+.2f} | "
        f"{mine[k] - generic[k]:+.2f} |"
        for k in order
    ]
    head = "| task | your weight | generic | difference |\n|---|---:|---:|---:|\n"
    note = (
        "\n\nEach task is a set of photos that people, or a rule, have scored. A weight above the "
        "generic one: what that task likes, you like more than most. Below 0: you like its "
        "opposite."
    )
    if layout.directions:
        note += (
            f" Besides these, your taste weighs {layout.directions} directions of what photos show "
            "that have no names."
        )
    return head + "\n".join(rows) + note


def error(found: Exception, outcome: str = "") -> str:
    """What could not be done, and why."""
    message = as_text(str(found))
    return f"**{outcome}** {message}" if outcome else f"**{message}**"


def refused(sentences: Sequence[str]) -> str:
    """Uploads that were not taken, and why."""
    shown = [f"- {as_text(sentence)}" for sentence in sentences[:SHOWN_REASONS]]
    if len(sentences) > SHOWN_REASONS:
        shown.append(f"- and {len(sentences) - SHOWN_REASONS} more")
    return "\n".join(["**Not added:**", *shown])


def album(session: Session, settings: AppSettings) -> str:
    """What photos there are."""
    saved = ""
    if settings.ratings is not None and session.saved:
        saved = f" Your ratings are saved in {as_text(written(settings.ratings))}."
    own, shared = len(session.uploads.paths), len(session.album.paths)
    if settings.album is not None:
        name = as_text(written(settings.album.resolve().name or str(settings.album)))
        return f"**{shared} photos** of {name}." + saved
    text = f"**{shared} sample photos**"
    return text + (f" and **{own} of your own**." if own else ".") + saved


def new_photo(name: str, score: float, place: float | None, on_stars: bool) -> str:
    """Below a photo that was scored; `place` is the share of the album that it is better than."""
    shown = f"{score:.1f}★" if on_stars else f"{score:.2f}"
    lines = [f"{shown}  {name}"]
    if place is not None:
        lines.append(f"above {place:.0%} of the album")
    return "\n".join(lines)
