"""What each source of `SOURCES` holds, as its mirror lays it out, with a few made-up photos and
scores; and a loopback Hub that has them.
"""

import io
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pandas as pd

import database_samples as samples
from aesthetic_tv.databases.sources import METAINFO, SOURCES
from database_samples import photo_bytes, table
from hub_server import HubServer, Repo

PYIQA = "chaofengc/IQA-PyTorch-Datasets"
AVA_ROWS = {"train": range(100, 106), "validation": range(106, 108), "test": range(108, 110)}


def folder_files(write, *, below: str = "") -> dict[str, bytes]:
    """The files of a sample database, by their names below a folder."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write(folder)
        return {
            f"{below}{path.relative_to(folder).as_posix()}": path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }


def zipped(files: dict[str, bytes]) -> bytes:
    with zipfile.ZipFile(file := io.BytesIO(), "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return file.getvalue()


def tarred(files: dict[str, bytes], kind: str = "") -> bytes:
    with tarfile.open(fileobj=(file := io.BytesIO()), mode=f"w:{kind}") as archive:
        for name, content in files.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return file.getvalue()


def photos(names: list[str]) -> dict[str, bytes]:
    return {name: photo_bytes(number) for number, name in enumerate(names)}


def ava_rows(part: str) -> bytes:
    """Rows that hold their photos, as the mirror of AVA has them."""
    ids = AVA_ROWS[part]
    rows = pd.DataFrame(
        {
            "image_id": [str(n) for n in ids],
            "image": [{"bytes": photo_bytes(n), "path": None} for n in ids],
            "mean_score": [5.0 + n / 100 for n in ids],
            "total_votes": [17 + n % 10 for n in ids],
            "rating_counts": [[0, 1, 2, 3, 5, 3, 2, n % 10, 1, 0] for n in ids],
        }
    )
    return parquet(rows)


def parquet(rows: pd.DataFrame) -> bytes:
    rows.to_parquet(file := io.BytesIO())
    return file.getvalue()


def koniq_table() -> str:
    parts = ["train"] * 5 + ["val", "test"]
    rows = [(f"{n}.jpg", 60.5 + n, 0.5, part) for n, part in enumerate(parts)]
    return table("img_name,mos,std,official_split", rows)


def flive_table() -> str:
    rows = [(f"voc_emotic_ava/AVA__{n}.jpg", 60 + n, min(max(n - 4, 0), 2)) for n in range(7)]
    return table("img_name/patch_name,mos,split", [*rows, ("patches/AVA__0_patch_1.jpg", 50, 0)])


def repos() -> dict[str, dict[str, bytes]]:
    """The files of every repo that a source names."""
    kadid = folder_files(samples.kadid, below="kadid10k/")
    aadb = folder_files(samples.aadb)
    # As a folder of a drive comes down: archives within the archive.
    inner = {
        f"AADB/{top}.zip": zipped({k: v for k, v in aadb.items() if k.startswith(f"{top}/")})
        for top in ("imgListFiles_label", "datasetImages_originalSize", "AADB_newtest_originalSize")
    }
    tad = folder_files(samples.tad66k)
    metainfo = {
        "meta_info_KonIQ10kDataset.csv": koniq_table(),
        "meta_info_SPAQDataset.csv": table(
            "Image name,MOS", [(f"{n:05d}.jpg", 20.5 + n) for n in range(1, 9)]
        ),
        "meta_info_KADID10kDataset.csv": table(
            "ref_name,dist_name,dmos,std", [("I01.png", "I01_01_01.png", 3, 1)]
        ),
        "meta_info_FLIVEDataset.csv": flive_table(),
    }
    return {
        "VQA-CityU/IQA_data": {
            "koniq.zip": zipped(photos([f"koniq/{n}.jpg" for n in range(7)])),
            "spaq.zip": b"not asked for",
        },
        "q-future/q-align-datasets": {
            "spaq.tar": tarred(
                photos([f"spaq/{n:05d}.jpg" for n in range(1, 9)]) | {"spaq/._00001.jpg": b"x"}
            )
        },
        PYIQA: {
            "AADB_aesthetic_IQA_eccv16.tar": tarred(inner),
            "kadid10k.tgz": tarred(kadid, "gz"),
            "flive.tgz": tarred(
                photos([f"FLIVE_Database/database/voc_emotic_ava/AVA__{n}.jpg" for n in range(7)]),
                "gz",
            ),
            "koniq10k.tgz": b"not asked for",
        },
        METAINFO: {name: text.encode() for name, text in metainfo.items()},
        "Shuai1995/TAD66K_for_Image_Aesthetics_Assessment": {
            "TAD66K.zip": zipped(
                {k.removeprefix("TAD66K/"): v for k, v in tad.items() if k.startswith("TAD66K/")}
            ),
            "labels.zip": zipped({k: v for k, v in tad.items() if k.startswith("labels/")}),
        },
        "trojblue/AVA-aesthetics-10pct-min50-10bins": {
            f"data/{part}-00000-of-00001.parquet": ava_rows(part) for part in AVA_ROWS
        },
        "bethgelab/PAMELA": folder_files(samples.pamela) | {"README.md": b"a card"},
        "asmaerten/LAPIS": {
            "images.zip": zipped(
                {k: v for k, v in folder_files(samples.lapis).items() if k.startswith("images/")}
            ),
            **{k: v for k, v in folder_files(samples.lapis).items() if k.startswith("annotation/")},
        },
        "yuvalkirstain/pickapic_v2": {
            f"data/{part}-00000-of-00001.parquet": parquet(samples.pick_a_pic_rows(part))
            for part in samples.PICKS
        },
    }


def publish(hub: HubServer, only: str | None = None) -> None:
    """Put what sources name onto the Hub.

    Args:
        hub: the loopback Hub.
        only: of one database.
    """
    wanted = [SOURCES[only]] if only else SOURCES.values()
    names = {file.repo_id or source.repo_id for source in wanted for file in source.files}
    for repo_id, files in repos().items():
        if repo_id in names:
            repo = hub.repos["dataset", repo_id] = Repo(repo_id, False, hub.store, "dataset")
            repo.branches["main"] = repo.commit({".gitattributes": b"", **files})
