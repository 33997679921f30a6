"""What the fits of a run say: means and their intervals, paired differences, shares of people; and
in plain words whether a personal score serves people better than one score for everyone.

`fits` is a table with one row for each person x shots x draw x method, and the columns `person`,
`shots`, `draw`, `method`, `seconds` and one for each metric. A row whose metric is NaN counts as
not there. People, not rows, are what intervals are over: a person's draws are averaged first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from aesthetic_tv.errors import SettingError
from aesthetic_tv.evaluation.metrics import METRICS, bootstrap_interval

KEY = ["person", "shots", "draw", "method"]
POPULATION_LEVEL = ("generic", "mean", "population", "uniform")  # one score for everyone
LOWER_IS_BETTER = frozenset({"calibration_error"})
ROUNDING = 1e-12  # of means of the same numbers taken in another order
ORACLES = ("others",)  # know what nobody can: the ratings of the test photos, by other people
TASK = "task "  # before the name of a single task model
BUT_CHANCE = "but not shown to be better than chance"
FEW = 10  # people, below which an interval over people is not to be trusted


@dataclass(frozen=True)
class PairedDifference:
    """One method less another, for the same people, shots and draws.

    Attributes:
        method, reference, metric, shots: what is compared; method less reference.
        mean: over people, of each one's mean over draws.
        low, high: 95% bootstrap interval of it, over people.
        better: share of people whose difference is an improvement, one of 0 counting half.
        p_value: of Wilcoxon's signed-rank test over people, two-sided; 1 where all are 0.
        people, draws: how many had both.
    """

    method: str
    reference: str
    metric: str
    shots: int
    mean: float
    low: float
    high: float
    better: float
    p_value: float
    people: int
    draws: int


@dataclass(frozen=True)
class ShareBetter:
    """For how many people a method beats the scores that are the same for everyone.

    Attributes:
        method, metric, shots: what is compared.
        against: the best reference over all people, or `best for each person` of them.
        share: of people for whom the method's mean over draws is better; equal counts half.
        low, high: 95% Wilson interval of the share.
        people: how many had the method and every reference on the same draws.
    """

    method: str
    metric: str
    shots: int
    against: str
    share: float
    low: float
    high: float
    people: int


def summary(fits: pd.DataFrame, metric: str, *, level: float = 0.95, seed: int = 0) -> pd.DataFrame:
    """Each method at each number of shots, best first.

    Returns:
        A table with the columns `shots`, `method`, `mean` (over people, of each one's mean over
        draws), `sd_draws` (standard deviation over draws of the mean over people, as the paper
        gives it; NaN of a single draw), `sd_people` (of the people's means), `low`, `high`
        (bootstrap interval of the mean, over people), `people`, `draws`, `seconds` (median of a
        fit). Methods that ran for fewer people or draws stand in it with those alone: compare them
        by `paired`.

    Raises:
        SettingError: the table lacks a column, or has a row twice.
    """
    rows = []
    for (shots, method), part in _known(fits, metric).groupby(["shots", "method"], sort=True):
        people = part.groupby("person")[metric].mean()
        draws = part.groupby("draw")[metric].mean()
        low, high = bootstrap_interval(people.to_numpy(), level=level, seed=seed)
        rows.append(
            {
                "shots": int(shots),
                "method": method,
                "mean": people.mean(),
                "sd_draws": draws.std(ddof=1),
                "sd_people": people.std(ddof=1),
                "low": low,
                "high": high,
                "people": len(people),
                "draws": len(draws),
                "seconds": part["seconds"].median(),
            }
        )
    columns = "shots method mean sd_draws sd_people low high people draws seconds".split()
    table = pd.DataFrame(rows, columns=columns)
    best_first = table.assign(order=_sign(metric) * -table["mean"])
    return best_first.sort_values(["shots", "order"], kind="stable", ignore_index=True).drop(
        columns="order"
    )


def paired(
    fits: pd.DataFrame, method: str, reference: str, metric: str = "srocc", *, seed: int = 0
) -> list[PairedDifference]:
    """A method less a reference at each number of shots where both ran for the same draws.

    Only people and draws that both have are compared, so a slow method that ran for a few people
    is held against the reference on these few.

    Raises:
        SettingError: the table lacks a column or has a row twice, or one of the methods is not in
            it.
    """
    return differences(fits, [method], reference, metric, seed=seed)


def differences(
    fits: pd.DataFrame,
    methods: Sequence[str],
    reference: str,
    metric: str = "srocc",
    *,
    seed: int = 0,
) -> list[PairedDifference]:
    """As `paired`, of many methods: by shots, then in the order given.

    Raises:
        SettingError: as `paired`.
    """
    results = []
    for shots, part in _wide(fits, metric, [*methods, reference]).groupby(level="shots"):
        for method in methods:
            gaps = (part[method] - part[reference]).dropna()
            if len(gaps):
                results.append(_difference(gaps, method, reference, metric, int(shots), seed))
    return results


def _difference(
    gaps: pd.Series, method: str, reference: str, metric: str, shots: int, seed: int
) -> PairedDifference:
    people = gaps.groupby(level="person").mean().to_numpy()
    low, high = bootstrap_interval(people, seed=seed)
    return PairedDifference(
        method,
        reference,
        metric,
        shots,
        float(people.mean()),
        low,
        high,
        _share(people * _sign(metric)),
        float(stats.wilcoxon(people).pvalue) if np.any(people) else 1.0,
        len(people),
        gaps.index.get_level_values("draw").nunique(),
    )


def share_better(
    fits: pd.DataFrame,
    method: str,
    references: Sequence[str] = POPULATION_LEVEL,
    metric: str = "srocc",
) -> list[ShareBetter]:
    """For how many people a personal score beats the population scores, at each number of shots.

    Twice: against the one reference that is best on the mean over all these people, which is what
    a user would get without personal data; and against the best reference of each person, chosen
    with that person's test ratings, which nobody could know, so a bar too high on purpose.

    Args:
        fits: the table.
        method: the personal one.
        references: those of them that the table has are used.
        metric: by which.

    Raises:
        SettingError: the table lacks a column or has a row twice, or has not the method or none of
            the references.
    """
    known = [name for name in references if (fits["method"] == name).any() and name != method]
    if not known:
        raise SettingError(
            f"none of {', '.join(references)} is among the methods of the run; expected at least "
            "one to compare with."
        )
    sign = _sign(metric)
    results = []
    for shots, part in _wide(fits, metric, [method, *known]).dropna().groupby(level="shots"):
        people = part.groupby(level="person").mean() * sign  # (people, 1 + references)
        best = max(known, key=lambda name: people[name].mean())
        for against, bar in (
            (best, people[best]),
            ("best for each person", people[known].max(axis=1)),
        ):
            share = _share((people[method] - bar).to_numpy())
            low, high = wilson_interval(share, len(people))
            results.append(
                ShareBetter(method, metric, int(shots), against, share, low, high, len(people))
            )
    return results


def wilson_interval(share: float, count: int, *, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a share of `count` people; NaN of none."""
    if count == 0:
        return np.nan, np.nan
    z = stats.norm.ppf((1 + level) / 2)
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def gains(
    fits: pd.DataFrame, method: str, reference: str, shots: int, metric: str = "srocc"
) -> pd.Series:
    """Each person's mean over draws of method less reference at one number of shots, by name.

    Raises:
        SettingError: as `paired`.
    """
    wide = _wide(fits, metric, [method, reference])
    part = wide[wide.index.get_level_values("shots") == shots]
    return (part[method] - part[reference]).dropna().groupby(level="person").mean()


def common(fits: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The rows of the people, shots and draws that every method has that ran at these shots at all.

    What means can be compared on when slow methods ran for a few people only.

    Raises:
        SettingError: the table lacks a column or has a row twice.
    """
    known = _known(fits, metric)
    methods = known.groupby("shots")["method"].nunique()
    found = known.groupby(["person", "shots", "draw"])["method"].transform("size")
    return known[found == known["shots"].map(methods)]


def _known(fits: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The rows that have the metric, once checked."""
    if metric not in METRICS:
        raise SettingError(f"metric is {metric!r}; expected one of {', '.join(METRICS)}.")
    missing = [name for name in [*KEY, "seconds", metric] if name not in fits.columns]
    if missing:
        raise SettingError(f"the table of fits has no column {', '.join(missing)}.")
    twice = fits.duplicated(KEY)
    if twice.any():
        row = fits.loc[twice, KEY].iloc[0].to_dict()
        raise SettingError(f"the table of fits has {int(twice.sum())} rows twice, such as {row}.")
    return fits[fits[metric].notna()]


def _wide(fits: pd.DataFrame, metric: str, methods: Sequence[str]) -> pd.DataFrame:
    """One column a method, one row for every person, shots and draw that one of them has."""
    known = _known(fits[fits["method"].isin(methods)], metric)
    for name in methods:
        if not (known["method"] == name).any():
            raise SettingError(
                f"the run has no {metric} of the method {name!r}; it has "
                f"{', '.join(sorted(fits['method'].unique())) or 'none'}."
            )
    return known.pivot(index=["person", "shots", "draw"], columns="method", values=metric)


def _sign(metric: str) -> int:
    return -1 if metric in LOWER_IS_BETTER else 1


def _share(gaps: np.ndarray) -> float:
    """Of the gaps above 0; one of 0, up to rounding, counts half."""
    signs = np.sign(np.where(np.abs(gaps) < ROUNDING, 0.0, gaps))
    return float((1 + signs).mean() / 2)


def is_personal(method: str) -> bool:
    """Whether a method has seen the person's own ratings, by its name."""
    return method not in (*POPULATION_LEVEL, *ORACLES) and not method.startswith(TASK)


@dataclass(frozen=True)
class Verdict:
    """The best personal method beside the best population score, at one number of shots.

    Attributes:
        shots: ratings of each person.
        personal, population: the two methods; each the best by mean SROCC, chosen by these results.
        personal_mean, population_mean: of them.
        personal_low: of the 95 % interval of the personal mean, over people.
        among: personal methods that the best was chosen from: those that ran for most people.
        difference: of the two, paired.
        share: of people for whom personal is better.
        single: the personal method less the best single task model, where that is above the best
            population score: it too is the same for everyone, but who has no results cannot tell
            which one it is.
    """

    shots: int
    personal: str
    population: str
    personal_mean: float
    population_mean: float
    personal_low: float
    among: int
    difference: PairedDifference
    share: ShareBetter
    single: PairedDifference | None

    @property
    def outcome(self) -> str:
        """`better`, that but not shown to be better than chance, `worse`, `not shown to differ`, or
        that there are too few people to tell.
        """
        if self.difference.people < FEW:
            return f"not to be told from {self.difference.people} people"
        if self.difference.low > 0:
            return "better" if self.personal_low > 0 else f"better, {BUT_CHANCE}"
        return "worse" if self.difference.high < 0 else "not shown to differ"

    def __str__(self) -> str:
        gap, share = self.difference, self.share
        chosen = "the personal method" if self.among == 1 else f"best of {self.among} personal ones"
        people = "person" if gap.people == 1 else "people"
        comparison = (
            f"With {self.shots} ratings of each person, {self.personal} ({chosen}) reaches a mean "
            f"SROCC of {self.personal_mean:.3f} on the photos held out; {self.population}, the "
            f"best common score of all models, {self.population_mean:.3f}. On the same "
            f"{gap.people} {people} and draws the difference is {gap.mean:+.3f} (95% interval "
            f"{gap.low:+.3f} to {gap.high:+.3f}): personal is {self.outcome}. It is the better "
            f"one for {share.share:.0%} of the people ({share.low:.0%} to {share.high:.0%})."
        )
        if (single := self.single) is None:
            return comparison
        return (
            f"{comparison} One model alone, {single.reference}, chosen by these same results, is "
            f"above {self.population}: less that, {self.personal} is {single.mean:+.3f} "
            f"({single.low:+.3f} to {single.high:+.3f})."
        )


def verdicts(fits: pd.DataFrame) -> list[Verdict]:
    """One for each number of shots that has a personal and a population-level method.

    Raises:
        SettingError: the table lacks a column or has a row twice.
    """
    found = []
    for shots, table in summary(fits, "srocc").groupby("shots"):
        personal = table[table["method"].map(is_personal)]
        population = table[table["method"].isin(POPULATION_LEVEL)]
        if personal.empty or population.empty:
            continue
        # A slow method that ran for a few may lead by luck; it stands in the paired tables.
        most = personal[personal["people"] == personal["people"].max()]
        best, bar = most.iloc[0], population.iloc[0]  # best first
        part = fits[fits["shots"] == shots]
        above = table[table["method"].str.startswith(TASK) & (table["mean"] > bar["mean"])]
        single = None if above.empty else paired(part, best["method"], above.iloc[0]["method"])[0]
        found.append(
            Verdict(
                shots=int(shots),
                personal=best["method"],
                population=bar["method"],
                personal_mean=float(best["mean"]),
                population_mean=float(bar["mean"]),
                personal_low=float(best["low"]),
                among=len(most),
                difference=paired(part, best["method"], bar["method"])[0],
                share=share_better(part, best["method"], [bar["method"]])[0],
                single=single,
            )
        )
    return found
