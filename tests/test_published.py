"""Published figures name their source; what was not seen anywhere is absent."""

from aesthetic_tv.databases import registry
from aesthetic_tv.evaluation.published import FIGURES, METHOD, published


def test_every_figure_names_its_source_once():
    assert all(figure.source and -1 <= figure.srocc <= 1 for figure in FIGURES)
    keys = [(figure.method, figure.database, figure.shots, figure.protocol) for figure in FIGURES]
    assert len(set(keys)) == len(keys)


def test_databases_are_called_as_in_the_registry():
    assert {figure.database for figure in FIGURES} <= set(registry.REGISTRY)


def test_figures_are_found_by_database_and_shots():
    (own,) = published("real-cur", 10, METHOD)
    assert (own.srocc, own.protocol, own.sd) == (0.577, "cross", None)
    assert {figure.method for figure in published("flickr-aes", 100)} > {METHOD, "PA-IAA"}
    assert published("para", 10) == []
