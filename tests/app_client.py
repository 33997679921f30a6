"""An app in this process, without a network, and one page of it."""

import importlib
import io
import time

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio")

from starlette.testclient import TestClient

from aesthetic_tv.app import AppSettings, build

SERVER = importlib.import_module("aesthetic_tv.app.server")
PAUSE = 0.05  # seconds of quiet after which things are done by themselves


class App:
    """An app without a network, and one page of it."""

    def __init__(self, settings: AppSettings, **options):
        self.server = build(settings, **options)
        self.visits = self.server.state.visits
        self.client = TestClient(self.server)
        self.seq = 0
        self.headers: dict[str, str] = {}

    def enter(self, kept=None) -> dict:
        entered = self.client.post("/api/enter", json={"kept": kept})
        assert entered.status_code == 200, entered.text
        found = entered.json()
        self.headers, self.seq = {"X-Visit": found["token"]}, found["state"]["done_seq"]
        self.ids = {photo["name"]: photo["id"] for photo in found["photos"]}
        return found

    def get(self, path: str):
        return self.client.get(path, headers=self.headers)

    def post(self, path: str, **sent):
        return self.client.post(path, headers=self.headers, **sent)

    def say(self, *answers: dict, **more) -> dict:
        numbered = [{"seq": self.seq + i, **answer} for i, answer in enumerate(answers, 1)]
        self.seq += len(answers)
        reply = self.post("/api/answers", json={"answers": numbered, **more})
        assert reply.status_code == 200, reply.text
        return reply.json()

    def rate(self, **stars: float) -> dict:
        return self.say(*(
            {"do": "rate", "photo": self.ids[f"{name}.jpg"], "stars": number}
            for name, number in stars.items()
        ))  # fmt: skip

    def settled(self) -> dict:
        """The state when nothing is at work any more."""
        deadline = time.monotonic() + 60
        while (state := self.get("/api/state").json())["looking"]["working"]:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return state


def files(*named: tuple[str, bytes]) -> list:
    return [("files", item) for item in named]


def jpeg(seed: int = 0, size=(64, 48)) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).resize(size).save(out, "JPEG")
    return out.getvalue()
