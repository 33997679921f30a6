"""Every option of fine-tuning, on a tiny tower, and what happens when something goes wrong."""

import dataclasses
import resource

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from accelerate.tracking import GeneralTracker, on_main_process

import finetuning_worker as worker
from aesthetic_tv.errors import DivergedError, OutputError, ResumeError, SettingError
from aesthetic_tv.finetuning import FinetuneConfig
from aesthetic_tv.finetuning.checkpoint import RunFolder
from aesthetic_tv.finetuning.losses import parse_loss
from aesthetic_tv.finetuning.two_stage import Run, finetune_examples
from aesthetic_tv.task_vectors.task_vector import layers_of
from conftest import make_scorer

QUICK = FinetuneConfig(
    head_epochs=1, epochs=1, batch_size=12, lr=1e-3, loss="mse", log_every=1, score_range=(0, 255)
)


def quick(**settings) -> FinetuneConfig:
    return dataclasses.replace(QUICK, **settings)


def largest_difference(one, other) -> float:
    pairs = zip(layers_of(one).values(), layers_of(other).values(), strict=True)
    return max((a - b).abs().max().item() for a, b in pairs)


@pytest.fixture(scope="module")
def plain():
    return worker.train(QUICK, held_out=False)


@pytest.mark.parametrize(
    "settings",
    [{"activation_checkpointing": True}, {"compile": "eager"}, {"accumulation": 3}, {"workers": 2}],
    ids=str,
)
def test_how_it_is_computed_does_not_change_what_is_learned(plain, settings):
    result = worker.train(quick(**settings), held_out=False)
    assert largest_difference(result.scorer, plain.scorer) < 2e-5


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": "emd"},
        {"loss": "plcc"},
        {"loss": "rank"},
        {"layer_decay": 0.1},
        {"weight_decay": 0.5},
        {"warmup": 0.9},
        {"max_grad_norm": 1e-3},
        {"ema": 0.5},
        {"flip": True},
        {"crop": 0.5},
        {"mixed_precision": "bf16"},
        {"seed": 1},
    ],
    ids=str,
)
def test_each_option_changes_what_is_learned(plain, settings):
    result = worker.train(quick(**settings), held_out=False)
    assert largest_difference(result.scorer, plain.scorer) > 0
    assert all(torch.isfinite(layer).all() for layer in layers_of(result.scorer).values())


def test_half_precision_is_of_the_passes_and_not_of_the_weights():
    result = worker.train(quick(mixed_precision="bf16"))
    assert result.mixed_precision == "bf16"
    assert {layer.dtype for layer in layers_of(result.scorer).values()} == {torch.float32}
    assert not AcceleratorState._shared_state  # the next run may choose another


def test_it_stops_when_the_validation_part_gets_no_better():
    # At a rate this low nothing changes the order of the photos.
    result = worker.train(quick(lr=1e-12, epochs=20, patience=2, ema=None))
    assert result.best_epoch == 0
    assert result.steps == 2 * -(-worker.TRAIN // 12)


def test_the_weights_of_the_best_epoch_are_kept():
    result = worker.train(quick(lr=3e-2, epochs=4))
    told = {line.epoch: line.validation_srocc for line in result.lines if line.stage == "all"
            and line.validation_srocc is not None}  # fmt: skip
    assert result.validation.srocc == max(told.values()) == told[result.best_epoch]
    photos, split = worker.examples()
    held = np.flatnonzero(split == "validation")
    pixels = photos.select(held).__getitems__(range(len(held)))["crops"]
    from aesthetic_tv.finetuning import normalize
    from aesthetic_tv.personalization import srocc

    scores = result.scorer.score_pixels(normalize(pixels))
    truth = photos.truth.scores[held].double().numpy()
    assert srocc(scores, truth) == pytest.approx(result.validation.srocc)


def test_a_batch_may_be_larger_than_the_database():
    result = worker.train(quick(batch_size=100, epochs=2))
    assert result.steps == 2


def test_trackers_get_every_line():
    class Memory(GeneralTracker):
        name = "memory"
        requires_logging_directory = False
        rows: list = []  # noqa: RUF012

        @property
        def tracker(self):
            return self.rows

        @on_main_process
        def store_init_configuration(self, values):
            self.rows.append(("config", values["lr"]))

        @on_main_process
        def log(self, values, step=None, **kwargs):
            self.rows.append((step, values.get("loss")))

    result = worker.train(QUICK, log_with=Memory())
    lines = [line for line in result.lines if line.stage == "all"]
    assert Memory.rows == [("config", QUICK.lr), *((line.step, line.loss) for line in lines)]


def test_several_tasks_share_the_head_stage():
    photos, split = worker.examples()
    labels = [None, "even", "odd"]
    of_row = [labels[1 + i % 2] if i else None for i in range(worker.PHOTOS)]
    stages = []
    results = finetune_examples(
        make_scorer(),
        photos,
        split,
        parse_loss("mse"),
        QUICK,
        Run(progress=lambda stage, done, total: stages.append(stage)),
        grouping=lambda embeddings: of_row if len(embeddings) == worker.PHOTOS else [],
    )
    assert [result.name for result in results] == ["even", "odd"]
    assert sum(result.num_photos["train"] for result in results) == worker.TRAIN - 1
    assert stages.count("head") == 1
    assert largest_difference(results[0].scorer, results[1].scorer) > 0


def test_a_task_without_photos_to_train_on_is_refused_by_name():
    photos, split = worker.examples()
    labels = ["rare" if i == 0 else "common" for i in range(worker.PHOTOS)]
    with pytest.raises(SettingError, match="rare has 1 photos to train on"):
        finetune_examples(
            make_scorer(), photos, split, parse_loss("mse"), QUICK, Run(), grouping=lambda _: labels
        )


def test_a_loss_that_is_no_number_stops_the_run_and_says_where(tmp_path, monkeypatch):
    from aesthetic_tv.finetuning import losses

    calls = []

    def breaking(told, truth):
        calls.append(1)
        # The head stage has 4 steps, and the second stage 4 in each epoch.
        return losses.mse(told, truth) * (float("nan") if len(calls) == 4 + 4 + 2 else 1.0)

    monkeypatch.setitem(losses.LOSSES, "mse", breaking)
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(DivergedError, match=r"nan at step 6 .*epoch 2.*row \d+.*Lower lr") as told:
        worker.train(quick(epochs=3, log_every=3), folder=folder)
    assert str(folder.path) in str(told.value)
    tensors, state = folder.part(0).load("checkpoint")
    assert state["step"] == 4
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values())


def test_a_head_stage_that_diverges_says_so(monkeypatch):
    from aesthetic_tv.finetuning import losses

    monkeypatch.setitem(losses.LOSSES, "mse", lambda told, truth: told.scores.sum() / 0)
    with pytest.raises(DivergedError, match=r"at step 1 of the head stage \(epoch 1\).*row \d+"):
        worker.train(QUICK)


def test_a_run_with_other_settings_is_not_resumed_and_they_are_listed(tmp_path):
    folder = RunFolder(tmp_path / "run")
    worker.train(QUICK, folder=folder)
    with pytest.raises(ResumeError, match=r"config\.lr: 0\.001 there, 0\.002 here") as told:
        worker.train(quick(lr=2e-3, seed=3), folder=folder, resume=True)
    assert "config.seed: 0 there, 3 here" in str(told.value)
    with pytest.raises(ResumeError, match="data: None there"):
        worker.train(QUICK, folder=folder, resume=True, facts={"data": "other"})
    worker.train(quick(workers=0, checkpoint_every=1), folder=folder, resume=True)


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="left alone"):
        worker.train(QUICK, folder=RunFolder(tmp_path))
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_full_disk_stops_the_run_and_keeps_the_state_before(tmp_path):
    folder = RunFolder(tmp_path / "run")
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill_up(stage: str, done: int, total: int) -> None:
        if stage == "all layers" and done == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, unlimited[1]))

    try:
        with pytest.raises(OutputError, match=r"could not be written .*it is as it was"):
            worker.train(worker.RESUMED, **worker.RANDOM, folder=folder, progress=fill_up)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    _, state = folder.part(0).load("checkpoint")
    assert state["step"] == 2
    assert not list(folder.path.rglob("*tmp*"))
