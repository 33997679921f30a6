"""A scorer that is named once and is the same one in every worker."""

import hashlib
import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from aesthetic_tv.errors import ScorerError, SettingError
from aesthetic_tv.hub.repos import CONFIGS, resolve
from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.scorer.devices import AUTO, choose_device
from aesthetic_tv.scorer.hashing import sha256
from aesthetic_tv.scorer.journal import scorer_fingerprint
from aesthetic_tv.task_vectors.loading import resolve_bank

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
EMBEDDED = "embedded:"
LARGEST_NAME = 200


@dataclass(frozen=True)
class Place:
    """Where a model is to be had, and which one it is.

    Args:
        name: folder or Hub id.
        revision: the 40-hex commit of a repo; `None` for a folder.
        content: hash of a folder's files; `None` for a repo.
    """

    name: str
    revision: str | None = None
    content: str | None = None

    @classmethod
    def of(cls, name: str | os.PathLike[str], revision: str | None = None) -> "Place":
        """Look where a name leads now.

        Raises:
            FormatError: neither a folder here nor a Hub id.
            HubError: the Hub refused or failed; see its subclasses.
        """
        if str(name).startswith(EMBEDDED):
            return cls(str(name))
        if Path(name).is_dir():
            return cls(str(Path(name).absolute()), None, _content(Path(name)))
        found = resolve(name, revision=revision, patterns=CONFIGS)
        return cls(str(name), found.revision)

    def check(self) -> None:
        """Raise `ScorerError` where a folder does not hold what it held."""
        if self.content is not None and _content(Path(self.name)) != self.content:
            raise ScorerError(
                f"{self.name} was changed since this run began; scores of two scorers would be "
                "mixed. Start again, and leave the folder alone until the end."
            )


def _content(folder: Path) -> str:
    files = sorted(path for kind in ("*.json", "*.safetensors") for path in folder.rglob(kind))
    told = [(path.relative_to(folder).as_posix(), sha256(path)) for path in files]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class PinnedScorer:
    """A scorer by its place, or itself; loaded once in each process, whoever asks for it.

    Args:
        scorer: its place, or the scorer.
        bank: of a taste that does not say where its bank is.
        device: where it runs, as for `choose_device`.
        dtype: one of `DTYPES`; as it was saved when `None`.
    """

    scorer: Place | AestheticScorer
    bank: Place | None = None
    device: str = AUTO
    dtype: str | None = None

    @classmethod
    def of(
        cls,
        scorer: str | os.PathLike[str] | AestheticScorer,
        *,
        bank: str | os.PathLike[str] | None = None,
        revision: str | None = None,
        device: str = AUTO,
        dtype: str | None = None,
    ) -> "PinnedScorer":
        """Pin it to what it is now.

        Raises:
            SettingError: a `dtype` that is not known, or a bank or revision for a scorer that is
                loaded already.
            FormatError: neither a folder here nor a Hub id.
            HubError: the Hub refused or failed; see its subclasses.
        """
        if dtype is not None and dtype not in DTYPES:
            raise SettingError(f"dtype is {dtype!r}; expected one of {', '.join(DTYPES)}.")
        if isinstance(scorer, AestheticScorer):
            if bank is not None or revision is not None:
                raise SettingError(
                    "this scorer is loaded already; bank= and revision= belong to one that is "
                    "only named. Leave them out."
                )
            return cls(scorer, None, device, dtype)
        place = Place.of(scorer, revision)
        return cls(place, None if bank is None else Place.of(bank), device, dtype)

    @property
    def name(self) -> str:
        """What to call it in tables: a Hub id, or the folder's own name."""
        if isinstance(self.scorer, Place):
            place = self.scorer
            return (place.name if place.revision else Path(place.name).name)[:LARGEST_NAME]
        return "a scorer in memory"

    @property
    def revision(self) -> str | None:
        """The commit it is pinned to; `None` for one that is not of the Hub."""
        return self.scorer.revision if isinstance(self.scorer, Place) else None

    def load(self) -> AestheticScorer:
        """The scorer on its device, in evaluation mode.

        Raises:
            ScorerError: it is none, is damaged, or is not the one that was pinned.
            HubError: the Hub refused or failed; see its subclasses.
        """
        key = (self.scorer, self.bank, self.device, self.dtype)
        with _LOADING:
            if key not in _LOADED:
                _LOADED[key] = self._loaded()
            return _LOADED[key]

    def _loaded(self) -> AestheticScorer:
        scorer: Any = self.scorer
        if isinstance(scorer, Place):
            bank = None
            for place in (scorer, self.bank):
                if place is not None:
                    place.check()
            if self.bank is not None:
                bank = resolve_bank(self.bank.name, "the scorer", revision=self.bank.revision)
            scorer = AestheticScorer.from_pretrained(
                scorer.name, bank=bank, revision=scorer.revision
            )
        if self.dtype is not None:
            scorer = scorer.to(dtype=DTYPES[self.dtype])
        return scorer.to(choose_device(self.device)).eval()

    def __getstate__(self) -> dict[str, Any]:
        """A scorer in memory travels by its weights, on the CPU."""
        state = dict(vars(self))
        if isinstance(self.scorer, AestheticScorer):
            weights = {name: x.detach().cpu() for name, x in self.scorer.state_dict().items()}
            state["scorer"] = _InMemory(scorer_fingerprint(self.scorer))
            state["weights"] = (self.scorer.config, weights, str(self.scorer.dtype))
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        told = state.pop("weights", None)
        if told is not None:
            known = state["scorer"].fingerprint
            if known not in _ARRIVED:
                config, weights, dtype = told
                scorer = AestheticScorer(config).to(getattr(torch, dtype.removeprefix("torch.")))
                scorer.load_state_dict(weights)
                _ARRIVED[known] = scorer.eval()
            state["scorer"] = _ARRIVED[known]
        for name, value in state.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class _InMemory:
    fingerprint: str


_LOADED: dict[tuple, AestheticScorer] = {}
_ARRIVED: dict[str, AestheticScorer] = {}  # so that a pool's every task does not bring another
_LOADING = threading.Lock()
