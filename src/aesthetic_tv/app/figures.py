"""Is the person's own order better: figures for those who want them, and pictures behind them."""

from pathlib import Path

from aesthetic_tv import plots
from aesthetic_tv.app import words
from aesthetic_tv.app.answers import Answers
from aesthetic_tv.app.session import Scope, Session
from aesthetic_tv.app.taste import Taste
from aesthetic_tv.personalization import InstantFit
from aesthetic_tv.personalization.honesty import Figures

POINTS = 6  # of the curve of agreement
FEWEST = 5  # ratings at its first point
MOST_NAMED = 400  # photos of a picture that names them


def rows(found: Figures, answers: Answers) -> list[tuple[str, str]]:
    """The figures, by what they are."""
    low, high = found.interval
    metric = "Agreement with your stars (rank correlation, -1 to 1)"
    if found.metric == "pair_accuracy":
        metric = "Share of your choices put right (0.5 is a coin toss)"
    mine = f"{found.personal:.2f}"
    if found.personal_interval is not None:
        mine += " ({:.2f} to {:.2f}, 90% interval)".format(*found.personal_interval)
    return [
        ("Figure", metric),
        ("Your own order", mine),
        ("One order for all", f"{found.generic:.2f}"),
        ("Difference", f"{found.difference:+.2f} ({low:+.2f} to {high:+.2f}, 90% interval)"),
        ("From", words.how_many(answers)),
        ("How", "cross-validation: each photo is judged by a scorer that never saw your answer"),
    ]


def draw(session: Session, scope: Scope, folder: Path) -> list[tuple[str, str]]:
    """Draw the pictures into a folder.

    Returns:
        Name of the file and what it shows, of each; none while there is no taste.
    """
    taste = session.taste(scope)
    if taste is None:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    found = [("scores.png", "Scores of the album, yours and one taste for all")]
    mine, generic = taste.scores[taste.scope], taste.fit.album.scores[taste.scope]
    plots.score_histograms({"personal": mine, "generic": generic}, folder / "scores.png")
    if len(taste.scope) <= MOST_NAMED:
        names = [taste.names[row] for row in taste.scope]
        plots.rank_change(names, mine.tolist(), generic.tolist(), folder / "ranks.png")
        found.insert(0, ("ranks.png", "From one order for all to yours"))
    counts, curves = agreement_by_count(session)
    if len(counts) > 1:
        plots.ratings_curve(counts, curves, folder / "curve.png")
        found.append(("curve.png", "By number of ratings"))
    return found


def draw_heat_map(taste: Taste, path: Path) -> None:
    """Draw the weights of a taste, by layer and task."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bank = taste.fit.album.bank
    alpha, _ = bank.layout.split(taste.fit.fit.coefficients)
    plots.coefficient_map(bank.layers, bank.names, alpha, path)


def agreement_by_count(session: Session) -> tuple[list[int], dict[str, list[float]]]:
    """Cross-validated SROCC of the person's scorer and of the generic one, after the first m
    ratings, for a few m.

    Returns:
        The counts m, and a curve of each; empty with too few ratings.
    """
    features, counted = session.features, session.counted.at(session.paths)
    ratings = list(counted.ratings.items())
    if features is None or len(ratings) < 2 * FEWEST:
        return [], {}
    last = len(ratings)
    wanted = sorted({FEWEST + round(i * (last - FEWEST) / (POINTS - 1)) for i in range(POINTS)})
    counts, personal, generic = list[int](), list[float](), list[float]()
    for count in wanted:
        preferences = Answers(dict(ratings[:count])).preferences()
        if preferences is None:
            continue
        found = InstantFit.of_preferences(features, preferences).figures()
        if found is not None:
            counts.append(count)
            personal.append(found.personal)
            generic.append(found.generic)
    return counts, {"personal": personal, "generic": generic}
