"""A file that was changed loads to the very same answer, or is refused by name: never to another
answer in silence, and never with an error of somebody else's.
"""

import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from aesthetic_tv.errors import AestheticTVError
from aesthetic_tv.evaluation.results import PersonFile
from aesthetic_tv.evaluation.splits import Splits
from aesthetic_tv.finetuning.checkpoint import RunFolder
from aesthetic_tv.personalization import Personalization
from aesthetic_tv.personalization.calibration import Calibration
from aesthetic_tv.personalization.honesty import Figures
from aesthetic_tv.personalization.photo_features import FeatureRows, load_rows
from aesthetic_tv.personalization.ratings_file import read_ratings, write_ratings
from aesthetic_tv.scorer import AestheticScorer, load_photo
from aesthetic_tv.scorer.journal import BatchResult, Journal
from aesthetic_tv.task_vectors import BankReference, TaskVector, TaskVectorBank
from aesthetic_tv.task_vectors.head_directions import HeadDirections
from aesthetic_tv.task_vectors.population import Population
from conftest import make_bank, make_scorer
from evaluation_samples import draw_photos, raters
from mutations import mutated, older

SMALL = {"hidden_size": 8, "num_hidden_layers": 1, "intermediate_size": 8, "projection_dim": 4}


@dataclass(frozen=True)
class Kind:
    """Something that is kept.

    Args:
        make: writes it to a folder.
        load: what the folder holds, comparable with `==`; also makes use of it.
        count: of mutated files, and of files without hashes that are mutated.
        same: whether an answer is as good as the unharmed one.
        is_text: a change cannot be noticed; only an error of somebody else's is wrong.
    """

    make: Callable[[Path], Any]
    load: Callable[[Path], Any]
    count: tuple[int, int]
    same: Callable[[Any, Any], bool] = lambda found, whole: found == whole
    is_text: bool = False


def bits(tensor: torch.Tensor | np.ndarray | None) -> Any:
    if tensor is None:
        return None
    array = np.asarray(tensor)
    return array.dtype.str, array.shape, array.tobytes()


def small_bank(tasks: int = 2) -> TaskVectorBank:
    bank = make_bank(tasks, **SMALL)
    torch.manual_seed(0)
    pixels = torch.randn(6, 3, 32, 32)
    bank.directions = HeadDirections.of(bank.base, pixels, 3)
    centre, factor = torch.rand(len(bank.layers), tasks), torch.rand(tasks + 3, 2)
    told = {"num_people": 3}
    bank.population = Population(centre, 0.5, 0.25, told, torch.rand(3), 0.125, factor)
    bank.evaluations = [
        {"database": "x", "splits_sha256": "0" * 64, "method": "newton", "shots": 5}
        | {"metric": "srocc", "mean": 0.5, "low": 0.25, "high": 0.75, "people": 3, "draws": 2}
    ]
    return bank


def make_taste(folder: Path) -> None:
    torch.manual_seed(0)
    reference = BankReference(
        "0" * 64, {"a": "1" * 64, "b": "2" * 64}, "me/bank", "3" * 40, "4" * 9
    )
    Personalization(
        torch.randn(4, 2),
        ("one", "two", "three", "four"),
        ("a", "b"),
        reference,
        {"name": "newton", "strength": 0.5},
        Calibration((0.5, 1.5, 2.5), (1.0, 2.0, 5.0)),
        Figures("srocc", 0.5, 0.25, 0.25, (0.125, 0.375), 12, 60),
        ratings={"p1.jpg": 3.0, "p2.jpg": 4.5},
        directions=torch.randn(3),
    ).save_pretrained(folder / "taste", include_ratings=True)


def load_taste(folder: Path) -> Any:
    mine = Personalization.from_pretrained(folder / "taste")
    calibrated = mine.calibration and mine.calibration(np.array([0.7, 2.0]))
    said = mine.figures and mine.figures.verdict
    told = (mine.layers, mine.tasks, mine.bank_reference, mine.solver, mine.figures, mine.ratings)
    return repr((*told, said, bits(mine.coefficients), bits(mine.directions), bits(calibrated)))


def load_vector(folder: Path) -> Any:
    vector = TaskVector.from_pretrained(folder / "vector")
    layers = {name: bits(layer) for name, layer in vector.layers.items()}
    return repr((sorted(layers.items()), vector.base, vector.name, vector.metrics, vector.license))


def load_bank(folder: Path) -> Any:
    bank = TaskVectorBank.from_pretrained(folder / "bank")
    population = bank.population
    tensors = None if population is None else population._tensors()
    variances = population and (population.variance, population.direction_variance)
    scores = bank.base.score_pixels(torch.ones(1, 3, 32, 32))
    told = (bank.reference, bank.layers, variances, bank.evaluations, bank.base.config.processor)
    return repr((told, tensors and {k: bits(x) for k, x in tensors.items()}, bits(scores)))


def load_scorer(folder: Path) -> Any:
    scorer = AestheticScorer.from_pretrained(folder / "scorer")
    raw = scorer.score_pixels(torch.ones(1, 3, 32, 32))
    return repr((bits(raw), bits(scorer.calibrate(raw)), scorer.config.processor))


def make_scorer_folder(folder: Path) -> None:
    scorer = make_scorer(**SMALL)
    scorer.config.calibration_scores, scorer.config.calibration_ratings = [2.0, 8.0], [1.0, 5.0]
    scorer.save_pretrained(folder / "scorer")


def make_features(folder: Path) -> None:
    torch.manual_seed(0)
    rows = FeatureRows(("0" * 64, "1" * 64, "2" * 64), torch.randn(3), torch.randn(3, 5).half())
    rows.save(folder / "album.safetensors", "f" * 64)


def load_features(folder: Path) -> Any:
    rows = load_rows(folder / "album.safetensors", "f" * 64, 5)
    return rows.digests, bits(rows.scores), bits(rows.slopes)


HEADER = {
    "library_version": "1", "torch_version": "2", "device": "cpu", "scorer": "5" * 64,
    "decoding": 1, "batch_size": 2, "photos": {f"{i}.jpg": "abc" for i in range(6)},
}  # fmt: skip


def make_journal(folder: Path) -> None:
    with Journal(folder / "scores.csv", HEADER) as journal:
        journal.open(resume=False)
        for i in range(0, 6, 2):
            journal.add(BatchResult({i: 1 / (i + 3)}, {i + 1: "is empty"}))


def load_journal(folder: Path) -> Any:
    journal = Journal(folder / "scores.csv", HEADER)
    with journal:
        return journal.open(resume=True)


def make_splits(folder: Path) -> None:
    people = raters([Path(f"{i}.jpg") for i in range(24)], 3, 20)
    splits = Splits.draw(people, ["0" * 64] * 24, np.arange(24), shots=(5, 8), trials=2)
    replace(splits, left_out={"nobody": "too few"}).save(folder / "splits.json")


def load_splits(folder: Path) -> Any:
    people = raters([Path(f"{i}.jpg") for i in range(24)], 3, 20)
    splits = Splits.load(folder / "splits.json")
    told = splits._content()
    splits.check(people, ["0" * 64] * 24, np.arange(24))
    return told


def make_state(folder: Path) -> None:
    run = RunFolder(folder / "run")
    run.begin({"config": {"lr": 0.5}, "base": "0" * 64})
    run.save("head", {"weight": torch.arange(6.0), "step": torch.tensor(3)}, {"step": 7, "log": []})


def load_state(folder: Path) -> Any:
    run = RunFolder(folder / "run")
    run.check({"config": {"lr": 0.5}, "base": "0" * 64})
    tensors, state = run.load("head")
    return sorted((name, bits(tensor)) for name, tensor in tensors.items()), state


def make_person(folder: Path) -> None:
    fits = [{"shots": 5, "draw": 0, "method": "newton", "seconds": 0.1, "srocc": 0.5}]
    person = PersonFile("eve", fits, {"5": {"newton": [0.1, 0.2]}}, {"newton": {"5": [[1.0]]}})
    person.save(folder)


def load_person(folder: Path) -> Any:
    return vars(PersonFile.load(folder, "eve"))


def make_ratings(folder: Path) -> None:
    ratings = {f"päth {i}.jpg": 1 + i % 5 for i in range(8)}
    write_ratings(folder / "a.csv", ratings)
    (folder / "b.tsv").write_text("photo\trating\nx.jpg\t3,5\ny.jpg\t4\n", "utf-16")
    (folder / "c.json").write_text('{"x.jpg": 3, "y.jpg": 4.5}')
    (folder / "d.json").write_text('[{"photo": "x.jpg", "rating": 3}, {"photo": "y", "rating": 1}]')


def load_ratings(folder: Path) -> Any:
    return [read_ratings(path) for path in sorted(folder.iterdir())]


def make_photos(folder: Path) -> None:
    image = Image.open(draw_photos(folder / "made", 1)[0])
    exif = Image.Exif()
    exif[0x0112] = 6
    for suffix in ("jpg", "png", "webp", "gif", "tif", "bmp"):
        image.save(folder / f"photo.{suffix}", exif=exif)
    shutil.rmtree(folder / "made")


def load_photos(folder: Path) -> Any:
    return [load_photo(path, short_side=16).size for path in sorted(folder.iterdir())]


KINDS = {
    "taste": Kind(make_taste, load_taste, (300, 100)),
    "vector": Kind(
        lambda folder: small_bank(1).vectors[0].compress(4).save_pretrained(folder / "vector"),
        load_vector,
        (200, 50),
    ),
    "bank": Kind(
        lambda folder: small_bank().save_pretrained(folder / "bank"), load_bank, (150, 50)
    ),
    "scorer": Kind(make_scorer_folder, load_scorer, (80, 30)),
    "features": Kind(make_features, load_features, (200, 100)),
    "journal": Kind(
        make_journal,
        load_journal,
        (150, 50),
        # What is not taken from the journal is scored again.
        same=lambda found, whole: found == whole[: len(found)],
    ),
    "splits": Kind(make_splits, load_splits, (150, 50)),
    "state": Kind(make_state, load_state, (100, 50)),
    "person": Kind(make_person, load_person, (80, 30)),
    "ratings": Kind(make_ratings, load_ratings, (200, 0), is_text=True),
    "photos": Kind(make_photos, load_photos, (150, 0), is_text=True),
}


@pytest.fixture(autouse=True)
def quiet(monkeypatch, caplog):
    """Notes of older files are of no interest here."""
    caplog.set_level(logging.CRITICAL)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def written(kind: Kind, folder: Path) -> dict[Path, bytes]:
    folder.mkdir()
    kind.make(folder)
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("name", KINDS)
def test_a_mutated_file_is_the_same_or_is_refused_by_name(name, tmp_path):
    kind, random = KINDS[name], np.random.default_rng(sum(name.encode()))
    contents = written(kind, tmp_path / name)
    whole = kind.load(tmp_path / name)
    for is_older in (False, True):
        if not kind.count[is_older]:
            continue
        if is_older:
            contents = {path: older(path.name, content) for path, content in contents.items()}
            for path, content in contents.items():
                path.write_bytes(content)
            assert kind.load(tmp_path / name) == whole
        paths = list(contents)
        # Small files get their share too.
        for _ in range(kind.count[is_older]):
            path = paths[int(random.integers(len(paths)))]
            changed = mutated(path.name, contents[path], random)
            if changed == contents[path]:
                continue
            path.write_bytes(changed)
            try:
                found = kind.load(tmp_path / name)
            except AestheticTVError as error:
                told = str(error)
                assert is_older or path.name in told or str(path.parent) in told, told
            except Exception as error:
                raise AssertionError(f"{path.name}: {changed[:3000]!r}") from error
            else:
                known = kind.is_text or is_older
                assert known or kind.same(found, whole), f"{path.name}: {changed[:3000]!r}"
            path.write_bytes(contents[path])
            if name == "journal":  # which goes on where it is good
                for path, content in contents.items():
                    path.write_bytes(content)


def test_there_are_two_thousand_of_them():
    assert sum(sum(kind.count) for kind in KINDS.values()) >= 2000
