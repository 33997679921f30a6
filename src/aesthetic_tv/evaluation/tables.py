"""The figures of an evaluation as tables for a terminal."""

from collections.abc import Iterator

import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from aesthetic_tv.evaluation.statistics import summary

DIGITS = 3


def summary_tables(fits: pd.DataFrame, metric: str = "srocc") -> Iterator[Table]:
    """One table for each number of shots: the methods, best first."""
    for shots, part in summary(fits, metric).groupby("shots"):
        table = Table(
            "method",
            metric.upper(),
            "95 % over people",
            "sd over draws",
            "people x draws",
            "seconds a fit",
            title=f"{shots} rated photos",
            title_justify="left",
            box=box.SIMPLE_HEAD,
        )
        for row in part.itertuples():
            table.add_row(
                Text(str(row.method)),
                f"{row.mean:.{DIGITS}f}",
                f"{row.low:.{DIGITS}f} to {row.high:.{DIGITS}f}",
                "" if pd.isna(row.sd_draws) else f"{row.sd_draws:.{DIGITS}f}",
                f"{row.people} x {row.draws}",
                f"{row.seconds:.3g}",
            )
        yield table
