"""The parts of fine-tuning: losses, targets, learning rates, averages, settings, photos, tasks."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image

from aesthetic_tv.errors import SettingError
from aesthetic_tv.finetuning import FinetuneConfig
from aesthetic_tv.finetuning.losses import Batch, emd, mse, parse_loss, plcc, rank
from aesthetic_tv.finetuning.optimization import (
    MovingAverage,
    parameter_groups,
    rate,
    set_rate,
)
from aesthetic_tv.finetuning.photos import Augmented, Examples
from aesthetic_tv.finetuning.splitting import by_clusters, by_label, folder_names, read_labels
from aesthetic_tv.finetuning.targets import split_linearly, targets
from aesthetic_tv.finetuning.validation import Agreement, Best
from aesthetic_tv.plots import learning_curve
from conftest import make_scorer

BINS = [float(value) for value in range(1, 11)]


def batch(*scores: float, distribution=None) -> Batch:
    rows = torch.zeros(len(scores), 3) if distribution is None else torch.tensor(distribution)
    return Batch(torch.tensor(scores), rows)


class TestLosses:
    def test_emd_is_the_squared_distance_of_the_cumulative_distributions(self):
        told = batch(0.0, 0.0, distribution=[[1.0, 0.0, 0.0], [0.2, 0.3, 0.5]])
        truth = batch(0.0, 0.0, distribution=[[0.0, 0.0, 1.0], [0.2, 0.3, 0.5]])
        # Cumulative (1, 1, 1) against (0, 0, 1): 1 + 1 + 0; the second photo agrees.
        assert emd(told, truth).item() == pytest.approx((2.0 + 0.0) / 2)

    def test_mse_is_the_mean_squared_error(self):
        assert mse(batch(1.0, 4.0), batch(2.0, 2.0)).item() == pytest.approx((1 + 4) / 2)

    def test_plcc_is_zero_for_agreement_and_one_for_its_opposite(self):
        truth = batch(1.0, 2.0, 4.0)
        assert plcc(batch(3.0, 5.0, 9.0), truth).item() == pytest.approx(0, abs=1e-6)
        assert plcc(batch(-1.0, -2.0, -4.0), truth).item() == pytest.approx(1, abs=1e-6)
        told = [1.0, 3.0, 2.0]
        expected = (1 - np.corrcoef(told, [1, 2, 4])[0, 1]) / 2
        assert plcc(batch(*told), truth).item() == pytest.approx(expected, abs=1e-6)

    def test_plcc_of_a_constant_has_a_gradient_that_is_a_number(self):
        told = torch.full((3,), 2.0, requires_grad=True)
        plcc(Batch(told, torch.zeros(3, 1)), batch(1.0, 2.0, 3.0)).backward()
        assert torch.isfinite(told.grad).all()

    def test_rank_is_the_bradley_terry_loss_over_all_ordered_pairs(self):
        told, truth = batch(0.5, 1.5, 1.0), batch(1.0, 2.0, 2.0)  # the last two are a tie
        expected = (math.log1p(math.exp(-1.0)) + math.log1p(math.exp(-0.5))) / 2
        assert rank(told, truth).item() == pytest.approx(expected)
        assert rank(batch(1.0), batch(1.0)).item() == 0

    def test_a_sum_of_losses_is_weighed_as_written(self):
        told, truth = batch(1.0, 4.0), batch(2.0, 2.5)
        both = parse_loss("mse + 0.5*rank")(told, truth)
        assert both.item() == pytest.approx((mse(told, truth) + 0.5 * rank(told, truth)).item())

    @pytest.mark.parametrize("text", ["huber", "mse+", "0*mse", "mse rank", "-1*mse", ""])
    def test_what_is_no_loss_is_refused(self, text):
        with pytest.raises(SettingError, match="emd, mse, plcc, rank"):
            parse_loss(text)


class TestTargets:
    def test_the_databases_scale_is_fitted_to_the_bins(self):
        truth = targets(np.array([0.0, 50.0, 100.0]), (0.0, 100.0), BINS)
        assert truth.scores.tolist() == [1.0, 5.5, 10.0]

    def test_a_score_becomes_its_two_nearest_bins_with_the_same_mean(self):
        shares = split_linearly(np.array([1.0, 2.25, 9.5, 10.0]), BINS)
        assert shares.sum(axis=1) == pytest.approx(1)
        assert shares @ np.array(BINS) == pytest.approx([1.0, 2.25, 9.5, 10.0])
        assert shares[1, 1:3].tolist() == [0.75, 0.25]

    def test_votes_on_five_steps_are_split_between_the_nearest_of_ten_bins(self):
        votes = [[0.0, 0.5, 0.5, 0.0, 0.0], None]
        truth = targets(
            np.array([2.5, 4.0]),
            (1.0, 5.0),
            BINS,
            distributions=votes,
            distribution_values=[1, 2, 3, 4, 5],
        )
        # Step 2 lies at bin 3.25 and step 3 at bin 5.5.
        expected = [0, 0, 0.375, 0.125, 0.25, 0.25, 0, 0, 0, 0]
        assert truth.distribution[0].tolist() == pytest.approx(expected)
        mean = truth.distribution @ torch.tensor(BINS)
        torch.testing.assert_close(mean, truth.scores)

    @pytest.mark.parametrize(
        ("scores", "score_range", "message"),
        [
            ([1.0, math.nan], None, "not finite numbers .first at row 1"),
            ([3.0, 3.0], (1.0, 5.0), "expected different scores"),
            ([3.0, 6.0], (1.0, 5.0), "within the range 1 to 5"),
        ],
    )
    def test_scores_that_cannot_be_are_refused(self, scores, score_range, message):
        with pytest.raises(SettingError, match=message):
            targets(np.array(scores), score_range, BINS)

    @pytest.mark.parametrize("votes", [[0.5, 0.4, 0.0], [1.5, -0.5, 0.0], [1.0, 0.0]])
    def test_votes_that_are_no_shares_of_the_steps_are_refused(self, votes):
        with pytest.raises(SettingError, match="distributions"):
            targets(
                np.array([1.0, 2.0]),
                None,
                BINS,
                distributions=[votes, None],
                distribution_values=[1, 2, 3],
            )


class TestRates:
    def test_each_layer_further_down_learns_at_a_share_of_the_rate_above(self, tiny_scorer):
        groups = parameter_groups(tiny_scorer, lr=1e-2, layer_decay=0.5, weight_decay=0.1)
        rates = {id(p): group["peak_lr"] for group in groups for p in group["params"]}
        found = {name: rates[id(p)] for name, p in tiny_scorer.named_parameters()}
        assert len(found) == len(rates)
        for name, told in found.items():
            if "layers.0." in name:
                assert told == pytest.approx(1e-2 / 4), name
            elif "layers.1." in name:
                assert told == pytest.approx(1e-2 / 2), name
            elif "embedding" in name or "pre_layrnorm" in name:
                assert told == pytest.approx(1e-2 / 8), name
            else:
                assert told == pytest.approx(1e-2), name

    def test_weights_of_matrices_decay_and_norms_biases_and_embeddings_do_not(self, tiny_scorer):
        groups = parameter_groups(tiny_scorer, lr=1e-2, layer_decay=1.0, weight_decay=0.1)
        decays = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
        for name, parameter in tiny_scorer.named_parameters():
            plain = parameter.ndim == 1 or "embedding" in name
            assert decays[id(parameter)] == (0.0 if plain else 0.1), name

    def test_the_rate_rises_in_a_line_and_falls_as_a_cosine(self):
        rates = [rate(step, 20, 0.2) for step in range(20)]
        assert rates[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
        assert rates[12] == pytest.approx(0.5) and rates[19] < 0.02
        assert all(a >= b for a, b in pairwise(rates[3:]))
        optimizer = torch.optim.SGD([{"params": [torch.zeros(1)], "peak_lr": 3.0}], lr=1.0)
        assert set_rate(optimizer, 1, 20, 0.2) == optimizer.param_groups[0]["lr"] == 1.5


class TestMovingAverage:
    def test_it_follows_the_weights_and_lends_itself_to_the_module(self):
        module = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.constant_(module.weight, 0.0)
        average = MovingAverage(module, 0.1)
        for weight in (1.0, 2.0):
            torch.nn.init.constant_(module.weight, weight)
            average.update()
        # Below its warm-up the decay is 0.1: 0.9, then 0.09 + 1.8.
        assert average.layers["weight"].item() == pytest.approx(1.89)
        with average.applied():
            assert module.weight.item() == pytest.approx(1.89)
        assert module.weight.item() == 2.0

    def test_the_first_steps_forget_where_it_began(self):
        module = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.constant_(module.weight, 0.0)
        average = MovingAverage(module, 0.999)
        torch.nn.init.constant_(module.weight, 1.0)
        average.update()
        assert average.layers["weight"].item() == pytest.approx(1 - 2 / 11)


class TestSettings:
    @pytest.mark.parametrize(
        "settings",
        [
            {"layer_decay": 0.0},
            {"crop": 1.5},
            {"ema": 1.0},
            {"patience": 0},
            {"accumulation": 5},
            {"loss": "huber"},
            {"mixed_precision": "fp8"},
            {"workers": -1},
            {"log_every": 0},
            {"lr": math.nan},
        ],
    )
    def test_a_setting_out_of_range_is_refused_by_its_name(self, settings):
        with pytest.raises(SettingError, match=next(iter(settings))):
            FinetuneConfig(**settings)

    def test_how_the_work_is_done_is_no_part_of_what_comes_out(self):
        settings = FinetuneConfig(workers=3, checkpoint_every=7, score_range=(1, 5))
        told = settings.that_changes_the_result()
        assert "workers" not in told and "checkpoint_every" not in told
        assert told["score_range"] == [1, 5] and told["lr"] == settings.lr


class TestAugmentation:
    def examples(self, **settings) -> Augmented:
        crops = np.random.default_rng(0).integers(0, 256, (8, 3, 32, 32)).astype(np.uint8)
        truth = Batch(torch.arange(8.0), torch.zeros(8, 10))
        return Augmented.of(
            Examples(crops, truth), **{"flip": False, "crop": 1.0} | settings, seed=0
        )

    def test_nothing_is_changed_by_default(self):
        examples = self.examples()
        assert np.array_equal(examples.__getitems__(range(8))["crops"], examples.crops)

    def test_a_flip_mirrors_about_half_and_others_in_the_next_epoch(self):
        examples = self.examples(flip=True)

        def mirrored(epoch: int) -> list[bool]:
            examples.set_epoch(epoch)
            crops = examples.__getitems__(range(8))["crops"].numpy()
            straight = [np.array_equal(a, b) for a, b in zip(crops, examples.crops, strict=True)]
            turned = np.array_equal(crops[straight.index(False)][:, :, ::-1],
                                    examples.crops[straight.index(False)])  # fmt: skip
            assert turned
            return straight

        assert 0 < sum(mirrored(0)) < 8
        assert mirrored(0) != mirrored(1)
        assert mirrored(0) == mirrored(0)

    def test_a_photo_is_changed_the_same_in_whatever_batch_it_comes(self):
        examples = self.examples(flip=True, crop=0.5)
        whole = examples.__getitems__(range(8))["crops"]
        assert torch.equal(examples.__getitems__([5, 2])["crops"], whole[[5, 2]])
        assert not torch.equal(whole, torch.from_numpy(examples.crops))


class TestTasks:
    def test_clusters_are_those_of_the_embeddings_the_largest_first(self):
        random = np.random.default_rng(0)
        centres = np.eye(3, 8)[[0] * 10 + [1] * 20 + [2] * 5]
        embeddings = 3 * centres + random.normal(0, 0.05, (35, 8))
        labels = by_clusters(3)(embeddings)
        assert labels == ["cluster1"] * 10 + ["cluster0"] * 20 + ["cluster2"] * 5
        assert by_clusters(3)(embeddings) == labels

    def test_more_clusters_than_kinds_of_photos_are_refused(self):
        with pytest.raises(SettingError, match="fewer clusters"):
            by_clusters(4)(np.ones((3, 8)))
        with pytest.raises(SettingError, match="2 or more"):
            by_clusters(1)

    def test_labels_are_found_by_name_with_or_without_its_ending(self, tmp_path):
        table = tmp_path / "tags.csv"
        table.write_text("photo,theme\na.jpg,sea\nb,hills\nc.jpg,\n")
        grouping = by_label(["a.jpg", "b.jpg", "c.jpg", "d.jpg"], read_labels(table, "theme"))
        assert grouping(np.zeros((4, 2))) == ["sea", "hills", None, None]

    def test_labels_find_photos_as_ratings_do_and_what_fits_several_is_refused(self):
        names = ["sub/a.jpg", "b", "c/x.jpg", "d/x.jpg"]
        grouping = by_label(names, {"A": "sea", "/me/b.jpg": "hills", "d/x": "town", "e": None})
        assert grouping(np.zeros((4, 2))) == ["sea", "hills", None, "town"]
        with pytest.raises(SettingError, match=r"'x', labelled 'sea': 2 files have this name"):
            by_label(names, {"x": "sea"})
        with pytest.raises(SettingError, match=r"'b' is labelled 'sea' and, as 'B\.jpg', 'hills'"):
            by_label(names, {"b": "sea", "B.jpg": "hills"})

    def test_no_label_leads_out_of_the_folder(self):
        assert folder_names(["../../etc", "a/b", "sea side"]) == ["etc", "a-b", "sea-side"]
        with pytest.raises(SettingError, match="cannot be told apart"):
            folder_names(["a b", "a/b"])


class TestAgreement:
    def test_a_constant_agrees_with_nothing(self):
        told = Agreement.of(np.ones(5), np.arange(5.0))
        assert (told.srocc, told.plcc, told.n) == (0.0, 0.0, 5)
        assert told.standard_error == 0.5

    def test_the_best_is_the_first_of_the_highest_and_without_validation_the_last(self):
        best = Best()
        offers = [0.1, 0.3, 0.3, 0.2]
        taken = [best.offer(i, Agreement(x, x, 9), dict) for i, x in enumerate(offers)]
        assert taken == [True, True, False, False] and best.epoch == 1
        blind = Best()
        assert all(blind.offer(i, None, dict) for i in range(3)) and blind.epoch == 2


def test_a_learning_curve_is_drawn_of_whatever_is_known(tmp_path):
    nothing = dict.fromkeys(("loss", "validation_srocc", "validation_plcc"))
    lines = [
        nothing | {"stage": "head", "epoch": 1, "step": 4, "loss": 2.0},
        nothing | {"stage": "all", "epoch": 0, "step": 0, "validation_srocc": 0.1},
        nothing | {"stage": "all", "epoch": 1, "step": 4, "loss": 1.0, "validation_plcc": 0.2},
    ]
    learning_curve(lines, tmp_path / "curve.png", title="ava", best_epoch=1)
    with Image.open(tmp_path / "curve.png") as image:
        assert image.size == (900, 600)
        assert image.convert("RGB").getpixel((2, 2)) == (255, 255, 255)
    with pytest.raises(SettingError, match="lines"):
        learning_curve([], tmp_path / "none.png", title="ava")


def test_the_scorer_of_the_tests_has_the_layers_that_depths_are_told_of():
    assert set(make_scorer().depths().values()) == {0, 1, 2, 3}
