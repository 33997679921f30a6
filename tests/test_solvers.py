"""A solver is found by its name, and by what it can do."""

import json
from dataclasses import asdict, dataclass
from typing import ClassVar

import numpy as np
import pytest
from typer.testing import CliRunner

from aesthetic_tv import InstantFit, Personalizer, PhotoFeatures
from aesthetic_tv.cli import app
from aesthetic_tv.errors import SettingError
from aesthetic_tv.evaluation.methods import methods_named
from aesthetic_tv.personalization import SOLVERS, LinearSolver, Solution, solver_named
from aesthetic_tv.personalization.linear_model import LinearFit
from aesthetic_tv.personalization.prior import CoefficientPrior


@dataclass(frozen=True)
class StaySolver:
    """Leaves the coefficients where they start."""

    name: ClassVar[str] = "stay"

    times: float = 1.0
    seed: int = 0

    def settings(self):
        return asdict(self)

    def solve(self, problem, progress=None):
        return Solution(problem.initial * self.times)


@dataclass(frozen=True)
class LinearStaySolver(StaySolver):
    """The same, within a linear model too."""

    name: ClassVar[str] = "linear-stay"
    precision: ClassVar[str] = "float32"

    def told(self, preferences):
        return preferences

    def linear_fit(self, problem, model):
        centre = problem.centre
        prior = CoefficientPrior(centre, problem.bank.layout, 1.0, 1.0)
        return LinearFit(centre, prior, 1.0, np.zeros_like(centre))


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    for solver in (StaySolver, LinearStaySolver):
        monkeypatch.setitem(SOLVERS, solver.name, solver)


@pytest.mark.parametrize("name", ["stay", "linear-stay"])
def test_a_solver_from_elsewhere_is_run_by_its_name(name, tiny_bank, photos):
    ratings = {photo: i % 5 for i, photo in enumerate(photos)}
    mine = Personalizer(tiny_bank, solver=name, folds=2, seed=3).fit(ratings)
    assert mine.solver["name"] == name and mine.solver["seed"] == 3
    assert mine.solver["initialization"] == "uniform"  # what the bank knows
    assert (mine.coefficients == 1 / 3).all()
    assert mine.figures.difference == pytest.approx(0, abs=1e-9)


def test_a_solver_that_fits_linear_models_serves_the_instant_mode(tiny_bank, photos):
    assert isinstance(LinearStaySolver(), LinearSolver)
    assert not isinstance(StaySolver(), LinearSolver)
    album = PhotoFeatures.compute(tiny_bank, photos)
    fit = InstantFit.of(album, {photos[0]: 1, photos[1]: 2}, solver=LinearStaySolver())
    np.testing.assert_allclose(fit.scores, album.scores, atol=1e-5)
    with pytest.raises(SettingError, match="'stay' cannot fit a linear model"):
        InstantFit.of(album, {photos[0]: 1, photos[1]: 2}, solver=StaySolver())


def test_the_command_line_and_the_evaluation_know_it_too(tiny_bank, photos, tmp_path):
    tiny_bank.save_pretrained(tmp_path / "bank")
    rows = [f"{photo.name},{i % 5}" for i, photo in enumerate(photos)]
    (tmp_path / "ratings.csv").write_text("\n".join(["photo,rating", *rows]))
    command = ["personalize", photos[0].parent, "--ratings", tmp_path / "ratings.csv"]
    options = ["--out", tmp_path / "taste", "--bank", tmp_path / "bank", "--folds", 0]
    done = CliRunner().invoke(app, [*map(str, [*command, *options]), "--solver", "stay"])
    assert done.exit_code == 0, done.output
    config = json.loads((tmp_path / "taste/personalization_config.json").read_text())
    assert config["solver"]["name"] == "stay"
    assert list(methods_named(["stay"], tiny_bank)) == ["stay"]
    refused = CliRunner().invoke(app, [*map(str, [*command, *options]), "--solver", "oracle"])
    assert refused.exit_code == 2


def test_settings_go_to_the_solver_and_unknown_ones_are_refused():
    assert solver_named("stay", seed=7, times=2.0) == StaySolver(2.0, 7)
    assert solver_named("newton", rounds=1).rounds == 1
    with pytest.raises(SettingError, match="no setting round; it has strength"):
        solver_named("newton", round=1)
    with pytest.raises(SettingError, match="one of newton, instant, paper"):
        solver_named("oracle")
