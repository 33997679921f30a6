"""The second stage: tower and head together, on accelerate, from any step on."""

import time
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator, skip_first_batches

from aesthetic_tv.errors import DivergedError, FormatError, SettingError
from aesthetic_tv.finetuning import log
from aesthetic_tv.finetuning.checkpoint import (
    RunFolder,
    full_weights,
    restore_training_state,
    training_state,
)
from aesthetic_tv.finetuning.config import FinetuneConfig
from aesthetic_tv.finetuning.losses import Batch, Loss
from aesthetic_tv.finetuning.optimization import (
    MovingAverage,
    parameter_groups,
    seed_dropout,
    set_rate,
)
from aesthetic_tv.finetuning.photos import Augmented, Examples, loader
from aesthetic_tv.finetuning.progress import Progress
from aesthetic_tv.finetuning.validation import Agreement, Best, validate
from aesthetic_tv.scorer import AestheticScorer

CHECKPOINT = "checkpoint"


class TowerStage:
    """One training of all layers.

    Args:
        scorer: trained in place, by accelerate; the result is `best`.
        train, validation: examples; without validation the last weights are the best.
        loss: what is made small.
        config: settings.
        accelerator: prepares model, optimizer and loaders.
        folder: where the state is kept between steps; nowhere when `None`.
        progress: told after each step.

    Attributes:
        best: the weights to keep, and how well they agree with the validation part.
        lines: of the log.
        step: optimizer steps done.
    """

    def __init__(
        self,
        scorer: AestheticScorer,
        train: Examples,
        validation: Examples | None,
        loss: Loss,
        config: FinetuneConfig,
        accelerator: Accelerator,
        folder: RunFolder | None,
        progress: Progress,
    ):
        if config.micro_batch % accelerator.num_processes:
            raise SettingError(
                f"batch_size {config.batch_size} in {config.accumulation} parts does not split "
                f"evenly over {accelerator.num_processes} processes; choose a multiple of "
                f"{config.accumulation * accelerator.num_processes}."
            )
        self._loss, self._config, self._accelerator = loss, config, accelerator
        self._folder, self._progress, self._validation = folder, progress, validation
        self._train = Augmented.of(train, flip=config.flip, crop=config.crop, seed=config.seed)
        self._per_epoch = -(-len(train) // config.batch_size)
        self._steps = config.epochs * self._per_epoch
        self._prepare(scorer)
        self.best, self.lines, self.step, self._stale = Best(), list[log.Line](), 0, 0
        self._losses, self._photos, self._lr = log.Losses(), 0, 0.0
        self._since = self._waited = 0.0

    def _prepare(self, scorer: AestheticScorer) -> None:
        config = self._config
        if config.activation_checkpointing:
            scorer.activation_checkpointing_enable({"use_reentrant": False})
        groups = parameter_groups(
            scorer,
            lr=config.lr,
            layer_decay=config.layer_decay,
            weight_decay=config.weight_decay,
        )
        self._model, self._optimizer, self._batches = self._accelerator.prepare(
            scorer.train(),
            torch.optim.AdamW(groups, fused=True),
            loader(self._train, config.micro_batch, shuffle=True, workers=config.workers),
        )
        self._plain = self._accelerator.unwrap_model(self._model, keep_torch_compile=False)
        self._average = MovingAverage(self._plain, config.ema) if config.ema else None

    def run(self) -> None:
        """Train to the end, from the last checkpoint where there is one.

        Raises:
            DivergedError: the loss is not a finite number any more; the last good state stays.
            OutputError: a checkpoint could not be written; the one before stays.
        """
        if not self._restored():
            self._end_epoch(0)
        self._since = time.perf_counter()
        while self.step < self._steps and not self._exhausted():
            epoch = self.step // self._per_epoch
            self._go_through(epoch, self.step % self._per_epoch)
            self._end_epoch(epoch + 1)

    def _exhausted(self) -> bool:
        patience = self._config.patience
        return patience is not None and self._validation is not None and self._stale >= patience

    def _go_through(self, epoch: int, done: int) -> None:
        """The steps of an epoch after the first `done`."""
        config = self._config
        self._train.set_epoch(epoch)
        self._batches.set_epoch(epoch)  # the loader that skips passes it on to nobody
        batches = self._batches
        if done:
            batches = skip_first_batches(batches, done * config.accumulation)
        for part, batch in enumerate(self._timed(batches), done * config.accumulation):
            self._part(epoch, part, batch)
            if not self._accelerator.sync_gradients:
                continue
            self.step += 1
            self._progress("all layers", self.step, self._steps)
            every = config.checkpoint_every
            # At the end of an epoch both are done anyway, with validation.
            inside = self.step % self._per_epoch > 0
            saves = inside and every is not None and self.step % every == 0
            if saves or (inside and self.step % config.log_every == 0):
                self._note(epoch + 1, self._since_last_line(epoch + 1))
            if saves:
                self._save()

    def _part(self, epoch: int, part: int, batch: dict[str, torch.Tensor]) -> None:
        """Forward and backward pass of one part of a batch; after its last part, the step."""
        config, accelerator = self._config, self._accelerator
        # Each part draws its dropout by its number, so that no generator has to be kept.
        place = np.random.SeedSequence([config.seed, epoch, part, accelerator.process_index])
        seed_dropout(accelerator.device, int(place.generate_state(1, np.uint64)[0] >> 1))
        start = part * config.micro_batch
        count = min(config.micro_batch, len(self._train) - start)
        first = start - start % config.batch_size
        whole = min(config.batch_size, len(self._train) - first)
        with accelerator.accumulate(self._model):
            output = self._model(self._plain.normalize(batch["crops"]))
            told = Batch(output.scores, output.distribution)
            truth = Batch(batch["scores"], batch["distribution"])
            # A part counts as much as it has photos: the last batch may be short.
            loss = self._over_all_processes(told, truth, count) * (count / whole)
            # accelerate divides by the parts of a batch, and averages over processes.
            accelerator.backward(loss * config.accumulation * accelerator.num_processes)
            if accelerator.sync_gradients:
                accelerator.clip_grad_norm_(self._model.parameters(), config.max_grad_norm)
                self._lr = set_rate(self._optimizer, self.step, self._steps, config.warmup)
            self._optimizer.step()
            self._optimizer.zero_grad(set_to_none=True)
        if accelerator.sync_gradients and self._average is not None:
            self._average.update()
        self._losses.add(loss, batch["positions"], new_step=start == first)
        self._photos += count

    def _over_all_processes(self, told: Batch, truth: Batch, count: int) -> torch.Tensor:
        """The loss of the `count` photos that all processes have together: correlations and pairs
        do not stop at a process. The gradient goes through this process's own photos.
        """
        accelerator = self._accelerator
        if accelerator.num_processes == 1:
            return self._loss(told, truth)
        others, everyone = accelerator.gather((tuple(x.detach() for x in told), tuple(truth)))
        before = accelerator.process_index * len(told.scores)
        after = before + len(told.scores)
        joined = [
            torch.cat([other[:before], mine, other[after:]])
            for mine, other in zip(told, others, strict=True)
        ]
        # The last batch was filled up with photos that had their turn.
        loss = self._loss(Batch(*joined).rows(None, count), Batch(*everyone).rows(None, count))
        # A process with none but such photos takes part in the backward pass too.
        return loss + 0 * told.scores.sum()

    def _timed(self, batches: Any) -> Iterator[dict[str, torch.Tensor]]:
        iterator, end = iter(batches), object()
        while True:
            began = time.perf_counter()
            batch = next(iterator, end)
            self._waited += time.perf_counter() - began
            if batch is end:
                return
            yield batch  # type: ignore[misc]

    def _since_last_line(self, epoch: int) -> dict[str, Any]:
        """What a line tells of the steps since the one before; nothing where there were none.

        Raises:
            DivergedError: a loss is not a finite number; says which state is kept.
        """
        try:
            mean = self._losses.mean(self.step, f"the second stage (epoch {epoch})", self._train)
        except DivergedError as error:
            raise DivergedError(f"{error} {self._what_is_kept()}") from None
        if mean is None:
            return {}
        seconds = time.perf_counter() - self._since
        facts = {"photos_per_second": self._photos / seconds, "waited": self._waited}
        self._since, self._waited, self._photos = time.perf_counter(), 0.0, 0
        return {"loss": mean, "lr": self._lr} | facts

    def _note(self, epoch: int, facts: dict[str, Any]) -> None:
        line = log.Line(log.ALL, epoch, self.step, **facts)
        self.lines.append(line)
        self._accelerator.log(line.values(), step=self.step)

    def _what_is_kept(self) -> str:
        known = self.best.agreement
        told = "" if known is None else f", validation SROCC {known.srocc:.3f}"
        place = "" if self._folder is None else f" in {self._folder.path}"
        return f"The best state so far (epoch {self.best.epoch}{told}) is kept{place}."

    def _end_epoch(self, epoch: int) -> None:
        """Validate, keep the weights where they are the best so far, and save the state."""
        facts = self._since_last_line(epoch)  # before weights that are broken are kept
        with self._average.applied() if self._average is not None else nullcontext():
            agreement = self._validated()
            better = self.best.offer(epoch, agreement, lambda: full_weights(self._plain))
        self._stale = 0 if better else self._stale + 1
        self._note(epoch, facts | log.figures(agreement))
        if self._folder is not None and better:
            self._folder.save(_best_name(epoch), self.best.layers, self.best.state())
        self._save()
        self._since = time.perf_counter()

    def _validated(self) -> Agreement | None:
        if self._validation is None:
            return None
        batch, workers = self._config.batch_size, self._config.workers
        batch += -batch % self._accelerator.num_processes
        return validate(self._model, self._validation, self._accelerator, batch, workers)

    def _save(self) -> None:
        """Write all that going on from here needs, then forget what only earlier states needed."""
        if self._folder is None:
            return
        state = {
            "step": self.step,
            "stale": self._stale,
            "best": self.best.epoch,
            "average_steps": self._average.steps if self._average is not None else 0,
            "scaler": self._accelerator.scaler and self._accelerator.scaler.state_dict(),
            "log": [line.values() for line in self.lines],
        }
        tensors = training_state(self._plain, self._optimizer.optimizer, self._average)
        self._folder.save(CHECKPOINT, tensors, state)
        self._folder.forget("best-", keep=_best_name(self.best.epoch))
        self._accelerator.wait_for_everyone()

    def _restored(self) -> bool:
        """Put the last checkpoint back; tells whether there was one."""
        saved = self._folder.load(CHECKPOINT) if self._folder is not None else None
        if saved is None or self._folder is None:
            return False
        tensors, state = saved
        restore_training_state(tensors, self._plain, self._optimizer.optimizer, self._average)
        best = self._folder.load(_best_name(state["best"]))
        if best is None:
            raise FormatError(
                f"{self._folder.path} has lost {_best_name(state['best'])}, which its checkpoint "
                "names; start anew with overwrite."
            )
        self.best = Best.restored(best[1], best[0])
        self.step, self._stale = state["step"], state["stale"]
        self.lines = [log.Line(**line) for line in state["log"]]
        if self._average is not None:
            self._average.steps = state["average_steps"]
        if self._accelerator.scaler is not None and state["scaler"]:
            self._accelerator.scaler.load_state_dict(state["scaler"])
        return True


def _best_name(epoch: int) -> str:
    return f"best-{epoch:04d}"
