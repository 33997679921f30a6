"""Tiny towers, a tiny bank and tiny photos, made afresh; no network, no data from elsewhere."""

import copy
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from hub_server import HubServer

# Before torch is imported: processes that share the cores would wait for each other's threads.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"
# Before huggingface_hub is imported, which reads them once: the Hub is on the loopback, for all
# tests, and nothing that a developer is logged in to or has in a cache can be reached.
HUB = HubServer()
ALICE, BOB = HUB.tokens
os.environ |= {
    "HF_ENDPOINT": HUB.url,
    "HF_HOME": tempfile.mkdtemp(prefix="aesthetic-tv-tests-"),
    "HF_HUB_DISABLE_XET": "1",
    "HF_HUB_OFFLINE": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}

import numpy as np
import pytest
import torch
from PIL import Image

from aesthetic_tv.scorer import AestheticScorer, AestheticScorerConfig
from aesthetic_tv.task_vectors import TaskVector, TaskVectorBank

TINY = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "projection_dim": 16,
    "image_size": 32,
    "patch_size": 8,
    "hidden_act": "gelu",
}


def make_scorer(seed: int = 0, **tower) -> AestheticScorer:
    """A random tiny scorer: 2 layers, 32 wide, 32 x 32 pixels."""
    torch.manual_seed(seed)
    config = AestheticScorerConfig(vision_config=TINY | tower, head_hidden_size=24)
    scorer = AestheticScorer(config).eval()
    scorer.reset_head(seed)
    return scorer


def make_finetuned(base: AestheticScorer, seed: int, size: float = 0.05) -> AestheticScorer:
    """The base with noise on every layer, as fine-tuning would leave it."""
    scorer = copy.deepcopy(base)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in scorer.parameters():
            parameter += size * torch.randn(parameter.shape, generator=generator)
    return scorer


def make_bank(tasks: int = 3, size: float = 0.05, **tower) -> TaskVectorBank:
    """A bank of random task vectors on the tiny base."""
    base = make_scorer(**tower)
    vectors = [
        TaskVector.from_scorers(base, make_finetuned(base, k + 1, size), name=f"task{k}")
        for k in range(tasks)
    ]
    return TaskVectorBank(base, vectors)


def wait_for_features(session) -> None:
    """Until all photos of an app's session were looked at."""
    deadline = time.monotonic() + 100
    while session.progress[0] < session.progress[1]:
        assert not session.error
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def hub() -> Iterator[HubServer]:
    """The loopback Hub, empty, and without faults."""
    HUB.clear()
    yield HUB
    HUB.clear()


@pytest.fixture
def tiny_scorer() -> AestheticScorer:
    return make_scorer()


@pytest.fixture
def tiny_bank() -> TaskVectorBank:
    return make_bank()


@pytest.fixture(scope="module")
def bank_folder(tmp_path_factory) -> Path:
    """A saved bank of random task vectors on the tiny base."""
    folder = tmp_path_factory.mktemp("bank") / "bank"
    make_bank().save_pretrained(folder)
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Twelve small photos, p00.jpg to p11.jpg, in a folder of their own."""
    folder = tmp_path / "photos"
    folder.mkdir()
    random = np.random.default_rng(0)
    paths = []
    for i in range(12):
        coarse = Image.fromarray(random.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        path = folder / f"p{i:02d}.jpg"
        coarse.resize((64, 48)).save(path, quality=95)
        paths.append(path)
    return paths


@pytest.fixture
def start_app(bank_folder, photos, tmp_path, monkeypatch):
    """Starts an app on the twelve photos, with ratings beside them."""
    from app_client import PAUSE, SERVER, App, AppSettings

    monkeypatch.setattr(SERVER, "PAUSE", PAUSE)
    running = []

    def start(loopback=False, **settings) -> App:
        ratings = tmp_path / "photos.ratings.csv"
        settings = {"album": photos[0].parent, "ratings": ratings, "local": True} | settings
        running.append(App(AppSettings(str(bank_folder), **settings), loopback=loopback))
        return running[-1]

    yield start
    for app in running:
        app.visits.close()
