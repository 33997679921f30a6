"""From preferences to a scorer: the solver learns, the files are small, nothing foreign passes."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.func import functional_call

from aesthetic_tv.errors import BaseMismatchError, FormatError, PreferenceError, SettingError
from aesthetic_tv.personalization import (
    PaperSolver,
    Personalization,
    Personalizer,
    Preferences,
    Problem,
    srocc,
)
from aesthetic_tv.personalization.paper_solver import bradley_terry_loss
from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.task_vectors import TaskVectorBank
from conftest import make_bank, make_scorer

QUICK = PaperSolver(iterations=5)


def problem(bank, seed=0, n=12) -> Problem:
    torch.manual_seed(seed)
    pixels = torch.randn(n, 3, 32, 32)
    ratings = dict(enumerate(np.random.default_rng(seed).integers(1, 6, n).tolist()))
    initial = torch.full((len(bank.layers), len(bank.names)), 1 / len(bank.names))
    return Problem(bank, pixels, Preferences.from_ratings(ratings), initial)


@pytest.fixture
def ratings(photos):
    return {photo: 1 + i % 5 for i, photo in enumerate(photos)}


def test_gradients_of_alpha_equal_finite_differences():
    bank = make_bank(2)
    base = bank.base.double()
    bank.start = {k: v.double() for k, v in bank.start.items()}
    bank.stacked = {k: v.double() for k, v in bank.stacked.items()}
    torch.manual_seed(0)
    pixels = torch.randn(6, 3, 32, 32, dtype=torch.float64)
    better, worse = torch.tensor([0, 2, 4, 0]), torch.tensor([1, 3, 5, 5])
    weights = torch.ones(4, dtype=torch.float64)
    head = base.head.forward
    base.head.forward = lambda embeds: _double_head(base.head, embeds)  # float64 to the end

    def loss(alpha):
        scores = functional_call(base, bank.merged_layers(alpha), (pixels,)).scores
        return bradley_terry_loss(scores, better, worse, weights)

    alpha = torch.rand(len(bank.layers), 2, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(loss(alpha), alpha)
    for row in range(0, len(bank.layers), 5):
        for k in range(2):
            step = torch.zeros_like(alpha)
            step[row, k] = 1e-6
            with torch.no_grad():
                slope = (loss(alpha + step) - loss(alpha - step)) / 2e-6
            assert gradient[row, k].item() == pytest.approx(slope.item(), rel=1e-4, abs=1e-9)
    base.head.forward = head


def _double_head(head, embeds):
    bins = torch.sigmoid(head.output(head.activation(head.hidden(embeds))))
    return bins / bins.sum(-1, keepdim=True)


def test_the_solver_lowers_the_loss_it_trains_on(tiny_bank):
    task = problem(tiny_bank)
    solution = PaperSolver(iterations=60, dropout=False).solve(task)
    assert np.mean(solution.loss[-5:]) < np.mean(solution.loss[:5])
    assert solution.coefficients.shape == task.initial.shape


def test_the_solver_finds_a_taste_that_the_bank_can_express():
    bank = make_bank(3, size=0.02)
    torch.manual_seed(0)
    pixels = 2 * torch.nn.functional.interpolate(torch.randn(60, 3, 4, 4), size=32, mode="bilinear")
    truth = raw_scores(bank.merge(torch.tensor([[2.0, -1.5, 0.5]])), pixels)
    ratings = dict(enumerate(truth[:40].tolist()))
    start = torch.full((len(bank.layers), 3), 1 / 3)
    task = Problem(bank, pixels[:40], Preferences.from_ratings(ratings), start)
    learned = PaperSolver(iterations=300, lr=0.05, dropout=False).solve(task).coefficients
    before = srocc(raw_scores(bank.merge(start), pixels)[40:], truth[40:])
    after = srocc(raw_scores(bank.merge(learned), pixels)[40:], truth[40:])
    assert after > max(0.5, before + 0.3)


def raw_scores(scorer: AestheticScorer, pixels: torch.Tensor) -> np.ndarray:
    return scorer(pixels).scores.detach().numpy()


def test_the_solver_is_deterministic_and_leaves_the_global_seed_alone(tiny_bank):
    task = problem(tiny_bank)
    torch.manual_seed(1)
    first = QUICK.solve(task).coefficients
    following = torch.rand(1)
    torch.manual_seed(1)
    torch.testing.assert_close(torch.rand(1), following)
    torch.testing.assert_close(QUICK.solve(task).coefficients, first, rtol=0, atol=0)
    other = dataclasses.replace(QUICK, seed=1).solve(task).coefficients
    assert not torch.equal(other, first)


def test_no_iterations_leave_the_initialization(tiny_bank):
    task = problem(tiny_bank)
    solution = PaperSolver(iterations=0).solve(task)
    torch.testing.assert_close(solution.coefficients, task.initial, rtol=0, atol=0)


def test_one_coefficient_per_task_stays_one(tiny_bank):
    solution = PaperSolver(iterations=5, layerwise=False).solve(problem(tiny_bank))
    rows = solution.coefficients
    torch.testing.assert_close(rows, rows[:1].expand_as(rows), rtol=0, atol=0)
    layerwise = QUICK.solve(problem(tiny_bank)).coefficients
    assert not torch.allclose(layerwise, layerwise[:1].expand_as(layerwise))


def test_mse_pulls_scores_towards_the_ratings(tiny_bank):
    solution = PaperSolver(iterations=60, loss="mse", dropout=False).solve(problem(tiny_bank))
    assert solution.loss[-1] < solution.loss[0]


def test_mse_without_ratings_is_refused(tiny_bank):
    task = problem(tiny_bank)
    pairs = Preferences.from_pairs([(0, 1), (2, 3)])
    with pytest.raises(PreferenceError, match="pairs"):
        PaperSolver(loss="mse").solve(dataclasses.replace(task, preferences=pairs))


@pytest.mark.parametrize(
    "settings",
    [{"iterations": -1}, {"lr": 0}, {"batch_size": 1}, {"loss": "hinge"}, {"lr": float("nan")}],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(SettingError, match=next(iter(settings))):
        PaperSolver(**settings)


def test_sparse_pairs_among_many_photos_all_get_their_turn(tiny_bank):
    torch.manual_seed(0)
    pairs = [(i, i + 1) for i in range(0, 60, 2)]
    task = Problem(
        tiny_bank,
        torch.randn(60, 3, 32, 32),
        Preferences.from_pairs(pairs),
        torch.full((len(tiny_bank.layers), 3), 1 / 3),
    )
    assert len(PaperSolver(iterations=4, batch_size=8).solve(task).loss) == 4


@pytest.mark.parametrize("given", ["ratings", "pairs", "ranking"])
def test_every_kind_of_preference_gives_a_scorer_that_round_trips(
    tiny_bank, photos, ratings, tmp_path, given
):
    preferences = {
        "ratings": ratings,
        "pairs": [(photos[i], photos[i + 1]) for i in range(11)],
        "ranking": photos,
    }[given]
    mine = Personalizer(tiny_bank, solver=QUICK, folds=3).fit(**{given: preferences})
    assert (mine.calibration is not None) == (given == "ratings")
    assert mine.figures.metric == ("pair_accuracy" if given == "pairs" else "srocc")
    assert mine.figures.verdict.count("generic") == 1 or "Generic" in mine.figures.verdict
    mine.save_pretrained(tmp_path / "mine")
    scorer = AestheticScorer.from_pretrained(tmp_path / "mine", bank=tiny_bank)
    np.testing.assert_allclose(scorer.score(photos), mine.merge().score(photos))
    scorer.save_pretrained(tmp_path / "full")
    full = AestheticScorer.from_pretrained(tmp_path / "full")
    np.testing.assert_allclose(full.score(photos), scorer.score(photos))


def test_scores_are_on_the_persons_scale(tiny_bank, photos, ratings):
    mine = Personalizer(tiny_bank, solver=QUICK, folds=0).fit(ratings, scale=(1, 5))
    scores = mine.merge().score(photos)
    assert scores.min() >= 1 and scores.max() <= 5
    assert np.ptp(scores) > 2  # the whole scale, not a bunch around its middle


def test_a_personalization_is_small_and_holds_no_photo_path_or_rating(
    tiny_bank, photos, ratings, tmp_path
):
    Personalizer(tiny_bank, solver=QUICK, folds=2).fit(ratings).save_pretrained(tmp_path / "mine")
    content = b"".join(path.read_bytes() for path in (tmp_path / "mine").iterdir())
    assert len(content) < 64_000
    assert str(tmp_path).encode() not in content
    assert not any(photo.name.encode() in content for photo in photos)


def test_unreadable_rated_photos_are_left_out_and_named(tiny_bank, ratings, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"")
    with pytest.warns(UserWarning, match="1 rated photos"):
        mine = Personalizer(tiny_bank, solver=QUICK, folds=0).fit({bad: 5} | ratings)
    assert list(mine.skipped) == [str(bad)] and "empty" in mine.skipped[str(bad)]


def test_too_few_readable_photos_are_refused(tiny_bank, photos, tmp_path):
    with pytest.raises(PreferenceError, match=r"Only 1 of 2 .*gone\.jpg"):
        Personalizer(tiny_bank).fit({photos[0]: 5, tmp_path / "gone.jpg": 1})


def test_exactly_one_kind_of_preference(tiny_bank, photos, ratings):
    with pytest.raises(PreferenceError, match="one of the three"):
        Personalizer(tiny_bank).fit()
    with pytest.raises(PreferenceError, match="one of the three"):
        Personalizer(tiny_bank).fit(ratings, ranking=photos)


@pytest.mark.parametrize("settings", [{"solver": "oracle"}, {"folds": 1}, {"folds": -2}])
def test_unknown_settings_are_refused(tiny_bank, settings):
    with pytest.raises(SettingError, match=next(iter(settings))):
        Personalizer(tiny_bank, **settings)


def test_figures_judge_each_photo_by_a_model_that_never_saw_its_rating(tiny_bank):
    """A solver that memorizes the ratings it is shown must not look good."""
    torch.manual_seed(0)
    pixels = torch.randn(40, 3, 32, 32)
    noise = dict(enumerate(np.random.default_rng(0).permutation(40).tolist()))
    mine = Personalizer(tiny_bank, solver=PaperSolver(iterations=25, lr=0.1), folds=5)
    figures = mine.fit_pixels(pixels, Preferences.from_ratings(noise)).figures
    assert figures.personal < 0.35  # two standard deviations of SROCC on 40 photos of pure noise
    low, high = figures.interval
    assert low < figures.difference < high
    assert "Personal is better" not in figures.verdict


def test_too_few_photos_give_no_figures(tiny_bank, photos):
    ratings = dict(zip(photos[:3], (1, 2, 3), strict=True))
    assert Personalizer(tiny_bank, solver=QUICK).fit(ratings).figures is None


def test_progress_tells_every_stage(tiny_bank, ratings):
    told = []
    personalizer = Personalizer(tiny_bank, solver=QUICK, folds=2)
    personalizer.fit(ratings, progress=lambda *step: told.append(step))
    assert [step[0] for step in told[::5]] == ["fold 1 of 2", "fold 2 of 2", "fit"]
    assert told[-1] == ("fit", 5, 5)


@pytest.fixture
def saved(tiny_bank, ratings, tmp_path):
    folder = tmp_path / "mine"
    Personalizer(tiny_bank, solver=QUICK, folds=0).fit(ratings).save_pretrained(folder)
    return folder


def test_a_bank_that_nobody_can_find_must_be_given(saved):
    with pytest.raises(BaseMismatchError, match="pass it as bank="):
        AestheticScorer.from_pretrained(saved)


def test_a_bank_for_a_full_scorer_is_refused(tiny_bank, tmp_path):
    tiny_bank.generic_scorer().save_pretrained(tmp_path / "scorer")
    assert AestheticScorer.from_pretrained(tmp_path / "scorer") is not None
    with pytest.raises(SettingError, match="leave bank= out"):
        AestheticScorer.from_pretrained(tmp_path / "scorer", bank=tiny_bank)


def test_another_base_or_another_bank_is_refused(saved, tiny_bank):
    with pytest.raises(BaseMismatchError, match="base"):
        Personalization.from_pretrained(saved, bank=_bank_on(make_scorer(seed=4)))
    with pytest.raises(BaseMismatchError, match="task1"):
        Personalization.from_pretrained(saved, bank=make_bank(size=0.01))
    fewer = TaskVectorBank(tiny_bank.base, tiny_bank.vectors[:2])
    with pytest.raises(BaseMismatchError, match="task2"):
        Personalization.from_pretrained(saved, bank=fewer)
    turned = TaskVectorBank(tiny_bank.base, tiny_bank.vectors[::-1])
    with pytest.raises(BaseMismatchError, match="order"):
        Personalization.from_pretrained(saved, bank=turned)


def _bank_on(base: AestheticScorer) -> TaskVectorBank:
    from aesthetic_tv.task_vectors import TaskVector
    from conftest import make_finetuned

    return TaskVectorBank(
        base,
        [
            TaskVector.from_scorers(base, make_finetuned(base, k + 1), name=f"task{k}")
            for k in range(3)
        ],
    )


def test_a_damaged_personalization_is_refused(saved):
    path = saved / "personalization.safetensors"
    tensors = load_file(path)
    save_file({"coefficients": tensors["coefficients"][:-1].clone()}, path)
    with pytest.raises(FormatError, match="shape"):
        Personalization.from_pretrained(saved)
    save_file({"coefficients": tensors["coefficients"] * float("nan")}, path)
    with pytest.raises(FormatError, match="not finite"):
        Personalization.from_pretrained(saved)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(FormatError, match="whole safetensors"):
        Personalization.from_pretrained(saved)
    config = json.loads((saved / "personalization_config.json").read_text())
    config["bank"] = {"somewhere": "else"}
    (saved / "personalization_config.json").write_text(json.dumps(config))
    save_file(tensors, path)
    with pytest.raises(FormatError, match="BankReference"):
        Personalization.from_pretrained(saved)
