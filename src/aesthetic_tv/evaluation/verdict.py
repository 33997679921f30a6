"""In plain words: does a personal score serve people better than one score for everyone?"""

from dataclasses import dataclass

import pandas as pd

from aesthetic_tv.evaluation.statistics import (
    POPULATION_LEVEL,
    PairedDifference,
    ShareBetter,
    paired,
    share_better,
    summary,
)

ORACLES = ("others",)  # know what nobody can: the ratings of the test photos, by other people
TASK = "task "  # before the name of a single task model
BUT_CHANCE = "but not shown to be better than chance"
FEW = 10  # people, below which an interval over people is not to be trusted


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
        told = (
            f"With {self.shots} ratings of each person, {self.personal} ({chosen}) reaches a mean "
            f"SROCC of {self.personal_mean:.3f} on the photos held out; {self.population}, the "
            f"best common score of all models, {self.population_mean:.3f}. On the same "
            f"{gap.people} {people} and draws the difference is {gap.mean:+.3f} (95% interval "
            f"{gap.low:+.3f} to {gap.high:+.3f}): personal is {self.outcome}. It is the better "
            f"one for {share.share:.0%} of the people ({share.low:.0%} to {share.high:.0%})."
        )
        if (single := self.single) is None:
            return told
        return (
            f"{told} One model alone, {single.reference}, chosen by these same results, is above "
            f"{self.population}: less that, {self.personal} is {single.mean:+.3f} "
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
        common = table[table["method"].isin(POPULATION_LEVEL)]
        if personal.empty or common.empty:
            continue
        # A slow method that ran for a few may lead by luck; it stands in the paired tables.
        most = personal[personal["people"] == personal["people"].max()]
        best, bar = most.iloc[0], common.iloc[0]  # best first
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
