"""The recipes of CONTRIBUTING.md that no other test follows: a database, a storage, an export."""

import sys
from types import ModuleType

import pandas as pd
import torch
from PIL import Image

from aesthetic_tv.databases import load
from aesthetic_tv.databases.labels import Labels, find_file
from aesthetic_tv.databases.registry import REGISTRY, DatabaseEntry, entry
from aesthetic_tv.databases.tables import read_table, texts
from aesthetic_tv.task_vectors.compression import PLANES, dequantize, quantize


def read(folder):
    path = find_file(folder, ["scores.csv"], entry("my-database"))
    table = read_table(path)
    return Labels(pd.DataFrame({"photo": texts(table["image"]), "score": table["mean"]}))


def test_a_database_is_an_entry_and_a_module(monkeypatch, tmp_path):
    module = ModuleType("aesthetic_tv.databases.my_database")
    module.read = read
    monkeypatch.setitem(sys.modules, module.__name__, module)
    made_up = DatabaseEntry("my-database", "made up", score_range=(0, 10))
    monkeypatch.setitem(REGISTRY, "my-database", made_up)
    for number in range(4):
        Image.new("RGB", (32, 32), (number * 60, 9, 9)).save(tmp_path / f"{number}.jpg")
    (tmp_path / "scores.csv").write_text("image,mean\n" + "".join(f"{n},{n}\n" for n in range(4)))
    found = load("my-database", tmp_path)
    assert sorted(found.scores) == [0, 1, 2, 3]
    assert {photo.rsplit("/", 1)[-1] for photo in found.table["photo"]} == {"0", "1", "2", "3"}


def test_a_storage_is_an_entry(monkeypatch):
    monkeypatch.setitem(PLANES, 5, (4, 1))
    values = torch.randn(6, 37, generator=torch.Generator().manual_seed(0))
    errors = []
    for bits in (4, 5, 8):
        codes, scales = quantize(values, bits)
        errors.append((dequantize(codes, scales, bits, torch.empty(6, 37)) - values).norm())
    assert errors[0] > errors[1] > errors[2]


def test_a_scorer_is_exported_as_any_module(tiny_scorer, tmp_path):
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    program = torch.export.export(tiny_scorer.eval(), (torch.zeros_like(pixels),), strict=False)
    torch.export.save(program, tmp_path / "taste.pt2")
    again = torch.export.load(tmp_path / "taste.pt2").module()
    torch.testing.assert_close(again(pixels).scores, tiny_scorer(pixels).scores)
