"""Shards of small photos, and people of a tiny bank."""

import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import torch
from pyarrow import parquet

from aesthetic_tv.personalization import Personalization
from aesthetic_tv.personalization.calibration import Calibration
from aesthetic_tv.task_vectors import TaskVectorBank


def write_tar(path: Path, members: Mapping[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as tar:
        for name, content in members.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            tar.addfile(header, io.BytesIO(content))
    return path


def write_parquet(path: Path, photos: Sequence[Path], column: str = "image") -> Path:
    rows = [{"bytes": photo.read_bytes(), "path": photo.name} for photo in photos]
    parquet.write_table(pa.table({"id": list(range(len(rows))), column: rows}), path)
    return path


def tars(folder: Path, photos: Sequence[Path], count: int) -> list[Path]:
    """The photos in so many tars, 00000.tar and on."""
    each = -(-len(photos) // count)
    return [
        write_tar(
            folder / f"{k:05d}.tar",
            {photo.name: photo.read_bytes() for photo in photos[k * each : (k + 1) * each]},
        )
        for k in range(count)
    ]


def make_people(bank: TaskVectorBank, folder: Path, count: int, size: float = 0.1) -> Path:
    """Saved tastes around the generic one, p000 and on."""
    generator = torch.Generator().manual_seed(0)
    for person in range(count):
        draw = size * torch.randn(bank.layout.size, generator=generator)
        alpha, _ = bank.layout.split(bank.generic_point + draw)
        scale = Calibration((3.0, 8.0), (1.0, 5.0)) if person else None
        taste = Personalization(
            alpha.clone(), bank.layers, bank.names, bank.reference, calibration=scale
        )
        taste.save_pretrained(folder / f"p{person:03d}")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
