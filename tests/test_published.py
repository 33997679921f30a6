"""Published figures name their source; what was not seen anywhere is absent."""

from aesthetic_tv.databases.registry import REGISTRY
from aesthetic_tv.evaluation.protocol import PROTOCOLS
from aesthetic_tv.evaluation.published import (
    COMPARISONS,
    EXPERIMENTS,
    FIGURES,
    OWN,
    Published,
    published,
)


def test_every_figure_stands_once_and_names_its_source():
    assert all(figure.source and -1 <= figure.srocc <= 1 for figure in FIGURES)
    keys = [(figure.method, figure.database, figure.shots) for figure in FIGURES]
    assert len(set(keys)) == len(keys)


def test_tables_and_databases_are_called_as_elsewhere():
    assert {figure.database for figure in FIGURES} <= set(REGISTRY)
    assert set(COMPARISONS) <= {*EXPERIMENTS, *PROTOCOLS}


def test_figures_are_found_by_table_and_database():
    found = {(x.method, x.shots): x.shown for x in published("table2", "real-cur")}
    assert found[OWN, 10] == "0.577"
    assert ("PA-IAA", 100) in found
    assert published("table2", "para") == ()
    assert published("table7", "real-cur") == ()


def test_a_standard_deviation_is_told_where_it_is_known():
    assert Published("a", "para", 10, 0.5, "somewhere", 0.01).shown == "0.500 ± 0.010"
