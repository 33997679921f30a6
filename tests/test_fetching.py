"""Databases fetched from the loopback Hub, each in its mirror's own layout."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import hf_hub_download
from transformers import CLIPVisionConfig

from aesthetic_tv.databases import REGISTRY, load, people
from aesthetic_tv.databases.fetching import ARRIVING, fetch, fetched, needed_bytes
from aesthetic_tv.databases.overlap import overlaps
from aesthetic_tv.databases.source_marker import MARKER
from aesthetic_tv.databases.sources import (
    SOURCES,
    DatabaseSource,
    SourceFile,
    Terms,
    source_of,
    terms_of,
)
from aesthetic_tv.databases.zip_photos import photos_in_zip
from aesthetic_tv.errors import DatabaseError, OutputError, SettingError, SourceError
from aesthetic_tv.finetuning.photos import DecodedCrops
from conftest import HUB, TINY
from database_samples import WRITERS
from hub_server import RefusedError
from source_samples import publish, tarred, zipped

FETCHED = [name for name, source in SOURCES.items() if source.by_hand is None]
BY_HAND = [name for name in SOURCES if name not in FETCHED]

STAYING = {"koniq-10k": {"koniq-10k/koniq.zip"}, "tad66k": {"tad66k/TAD66K/TAD66K.zip"}}


def requests() -> list[str]:
    return [line for line in HUB.log if "/resolve/" in line or "/_lfs/" in line]


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", FETCHED)
def test_every_source_is_fetched_and_read_in_the_layout_of_its_mirror(hub, tmp_path, name):
    publish(hub, name)
    steps = []
    found = fetch(name, tmp_path, progress=lambda *step: steps.append(step))
    assert found.folder == tmp_path / name
    assert found.revision == hub.dataset(SOURCES[name].repo_id).branches["main"]
    assert all(len(sha256) == 64 for sha256 in found.sha256.values())
    database = load(name, found.folder)
    assert database.problems == ()
    assert len(database) >= 5
    if REGISTRY[name].has_people and name != "aadb":  # whose workers are not in the mirror
        assert len(people(name, found.folder)) > 1
    # All bytes are told of, in one count each for fetching and unpacking.
    assert steps[-1][1] == steps[-1][2]
    assert [step for step in steps if step[0] == "fetching"][-1][1] == sum(found.sizes.values())
    # No archive stays, and no word of it, but for what says where it is from.
    left = {path.name for path in (tmp_path / ARRIVING).iterdir()}
    assert left == {f"{name}.lock"}
    left = {path for path in names(tmp_path) if path.endswith((".zip", ".tar", ".tgz"))}
    assert left == STAYING.get(name, set())  # which is as fast to read from


def test_a_second_fetch_asks_the_hub_nothing(hub, tmp_path):
    publish(hub, "koniq-10k")
    first = fetch("koniq-10k", tmp_path)
    hub.log.clear()
    stamp = (first.folder / MARKER).stat().st_mtime_ns
    assert fetch("koniq-10k", tmp_path) == fetch("koniq-10k", tmp_path, offline=True) == first
    assert fetched("koniq-10k", tmp_path) == first
    assert hub.log == []
    assert (first.folder / MARKER).stat().st_mtime_ns == stamp


def test_only_what_a_source_names_is_fetched(hub, tmp_path):
    publish(hub, "koniq-10k")
    found = fetch("koniq-10k", tmp_path)
    assert set(found.sizes) == {"koniq.zip", "meta_info_KonIQ10kDataset.csv"}
    assert not any("spaq" in line for line in requests())


def test_archives_stay_where_that_is_asked_for(hub, tmp_path):
    publish(hub, "tad66k")
    fetch("tad66k", tmp_path, keep_archives=True)
    assert names(tmp_path / "archives") == {"tad66k/TAD66K.zip", "tad66k/labels.zip"}


def test_photos_that_stay_in_their_zip_are_those_of_the_unpacked_ones(hub, tmp_path):
    publish(hub, "koniq-10k")
    packed = fetch("koniq-10k", tmp_path / "packed")
    whole = fetch("koniq-10k", tmp_path / "whole", unpack_all=True)
    assert names(whole.folder) == {
        ".source.json", "meta_info_KonIQ10kDataset.csv", *(f"koniq/{n}.jpg" for n in range(7))
    }  # fmt: skip
    one, other = (load("koniq-10k", found.folder, verify="full") for found in (packed, whole))
    assert one.table["photo"][:] == other.table["photo"][:]
    for row, (a, b) in enumerate(zip(one.table, other.table, strict=True)):
        assert a["image"].tobytes() == b["image"].tobytes(), row
    config = CLIPVisionConfig(**TINY)
    crops = [DecodedCrops(x.table, config)[np.arange(7)] for x in (one, other)]
    assert (crops[0] == crops[1]).all()
    assert len(overlaps(one, other)) == 7


def test_what_fetching_takes_is_told_before_anything_is_fetched(hub, tmp_path):
    publish(hub, "kadid-10k")
    needed = needed_bytes("kadid-10k")
    assert needed.is_exact
    assert needed.download == sum(fetch("kadid-10k", tmp_path).sizes.values())
    assert needed.disk > needed.download
    hub.log.clear()
    known = needed_bytes("tad66k", offline=True)
    assert (known.is_exact, known.download) == (False, 10_701_890_000)
    assert hub.log == []
    with pytest.raises(SourceError, match="pamela: how large"):
        needed_bytes("pamela", offline=True)


def test_a_disk_that_is_too_small_is_told_before_anything_is_fetched(hub, tmp_path, monkeypatch):
    publish(hub, "spaq")
    monkeypatch.setattr("aesthetic_tv.databases.fetching.free_bytes", lambda _: 100 << 20)
    with pytest.raises(
        SourceError, match=r"spaq needs 0\.\d+ GB .* 0\.10 GB are free.*larger disk"
    ):
        fetch("spaq", tmp_path)
    assert requests() == []
    assert not (tmp_path / "spaq").exists()


@pytest.mark.parametrize("name", BY_HAND)
def test_what_is_to_be_had_by_hand_says_where_and_how_to_lay_it_out(hub, tmp_path, name):
    with pytest.raises(SourceError) as caught:
        fetch(name, tmp_path)
    for told in (name, "http", REGISTRY[name].layout[0], str(tmp_path / name), "Terms:"):
        assert told in str(caught.value)
    assert hub.log == []
    WRITERS[name](tmp_path / name)
    own = fetch(name, tmp_path)
    assert own.is_own
    assert own.folder == tmp_path / name


def test_a_folder_of_the_users_own_is_taken_as_it_is(hub, tmp_path):
    WRITERS["koniq-10k"](tmp_path / "koniq-10k")
    before = names(tmp_path)
    assert fetch("koniq-10k", tmp_path).is_own
    assert names(tmp_path) == before
    assert hub.log == []


def test_without_a_network_what_is_not_here_is_told(hub, tmp_path):
    with pytest.raises(SourceError, match=r"koniq-10k is not in .*turned off"):
        fetch("koniq-10k", tmp_path, offline=True)


def test_a_data_folder_that_cannot_be_made_is_told(hub, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file.* cannot be written"):
        fetch("koniq-10k", tmp_path / "file" / "data")


FAULTS = {
    "cut off": (lambda hub: hub.fault("GET /_lfs/", "truncate"), "cut off|damaged|broke off"),
    "broken off": (lambda hub: hub.fault("GET /_lfs/", "drop"), "cut off|damaged|broke off"),
    "changed on the way": (lambda hub: hub.fault("GET /_lfs/", "flip"), "arrived damaged"),
    "the Hub fails": (
        lambda hub: hub.fault("api/datasets", RefusedError(500)),
        "Hub itself fails",
    ),
    "gated": (
        lambda hub: setattr(hub.dataset("VQA-CityU/IQA_data"), "gated", True),
        "is gated: ask for access",
    ),
    "private": (
        lambda hub: setattr(hub.dataset("VQA-CityU/IQA_data"), "private", True),
        "is not on the Hub, or it is private",
    ),
    "gone": (
        lambda hub: hub.repos.pop(("dataset", "VQA-CityU/IQA_data")),
        "is not on the Hub",
    ),
    "another layout": (
        lambda hub: hub.dataset("VQA-CityU/IQA_data").branches.update(
            main=hub.dataset("VQA-CityU/IQA_data").commit({"photos.zip": b"x"})
        ),
        r"holds no koniq\.zip; it holds photos\.zip",
    ),
    "no archive": (
        lambda hub: hub.dataset("VQA-CityU/IQA_data").edit(koniq__zip=b"<html></html>" * 100),
        "no table of contents",
    ),
    "unsafe": (
        lambda hub: hub.dataset("VQA-CityU/IQA_data").edit(koniq__zip=zipped({"../x.jpg": b"1"})),
        "leads out of its folder",
    ),
}


@pytest.mark.parametrize("what", FAULTS)
def test_what_goes_wrong_is_one_error_that_names_the_source_and_the_way_out(
    hub, tmp_path, monkeypatch, what
):
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None, raising=False)
    publish(hub, "koniq-10k")
    break_it, match = FAULTS[what]
    break_it(hub)
    with pytest.raises(SourceError, match=match) as caught:
        fetch("koniq-10k", tmp_path)
    told = str(caught.value)
    assert "koniq-10k" in told
    assert "VQA-CityU/IQA_data" in told
    assert "\n" not in told
    assert not (tmp_path / "koniq-10k").exists()
    assert not (tmp_path / "x.jpg").exists()
    if what in ("cut off", "broken off", "changed on the way", "the Hub fails"):
        hub.faults.clear()
        assert len(load("koniq-10k", fetch("koniq-10k", tmp_path).folder)) == 7


def test_what_arrived_whole_is_not_fetched_again_after_a_failure(hub, tmp_path):
    publish(hub, "tad66k")
    good = hub.dataset(SOURCES["tad66k"].repo_id).files()["labels.zip"]
    hub.dataset(SOURCES["tad66k"].repo_id).edit(labels__zip=b"no zip" * 10)
    with pytest.raises(SourceError, match=r"labels\.zip"):
        fetch("tad66k", tmp_path)
    hub.log.clear()
    with pytest.raises(SourceError, match=r"labels\.zip"):  # at the same commit as before
        fetch("tad66k", tmp_path)
    assert requests() == []
    newest = hub.dataset(SOURCES["tad66k"].repo_id).edit(labels__zip=good)
    source = replace(SOURCES["tad66k"], revision=newest)
    assert fetch(source, tmp_path).revision == newest
    photos = [line for line in requests() if line.startswith("GET") and "TAD66K.zip" in line]
    assert photos == []


def test_a_file_goes_on_where_it_was_stopped(hub, tmp_path):
    publish(hub, "spaq")
    whole = hub.dataset("q-future/q-align-datasets").files()["spaq.tar"]
    hub.fault("GET /_lfs/", "truncate")
    with pytest.raises(SourceError, match=r"spaq, spaq\.tar: .*cut off"):
        fetch("spaq", tmp_path)
    hub.faults.clear()
    hub.log.clear()
    steps = []
    assert (
        len(load("spaq", fetch("spaq", tmp_path, progress=lambda *s: steps.append(s)).folder)) == 8
    )
    (line,) = [line for line in requests() if line.startswith("GET /_lfs/")]
    assert line.endswith(f" bytes={len(whole) // 2}-")
    assert [step for step in steps if step[0] == "fetching"][-1][1] == steps[0][2]


def test_what_is_in_the_cache_of_the_hub_is_not_fetched_again(hub, tmp_path):
    publish(hub, "spaq")
    cached = Path(hf_hub_download("q-future/q-align-datasets", "spaq.tar", repo_type="dataset"))
    hub.log.clear()
    assert len(load("spaq", fetch("spaq", tmp_path).folder)) == 8
    assert not any("_lfs" in line for line in requests())
    assert cached.is_file()  # and stays there


def test_a_source_with_a_hash_refuses_what_was_changed(hub, tmp_path):
    publish(hub, "koniq-10k")
    files = (replace(SOURCES["koniq-10k"].files[0], sha256="0" * 64), SOURCES["koniq-10k"].files[1])
    with pytest.raises(SourceError, match=r"koniq\.zip of VQA-CityU/IQA_data was changed"):
        fetch(replace(SOURCES["koniq-10k"], files=files), tmp_path)
    assert requests() == []


def test_another_commit_is_another_database_and_takes_the_place_of_the_first(hub, tmp_path):
    publish(hub, "koniq-10k")
    first = fetch("koniq-10k", tmp_path)
    repo = hub.dataset("VQA-CityU/IQA_data")
    repo.edit(koniq__zip=zipped({"koniq/0.jpg": b"other"}))
    assert fetch("koniq-10k", tmp_path) == first  # of the newest, and it is here
    source = replace(SOURCES["koniq-10k"], revision=repo.branches["main"])
    second = fetch(source, tmp_path)
    assert second.revision == repo.branches["main"] != first.revision
    zipped_photos = photos_in_zip(second.folder / "koniq.zip")
    assert {name: photo.read() for name, photo in zipped_photos.items()} == {
        "koniq/0.jpg": b"other"
    }


def test_a_marker_that_was_changed_is_told(hub, tmp_path):
    publish(hub, "koniq-10k")
    path = fetch("koniq-10k", tmp_path).folder / MARKER
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"revision": "0" * 40}))
    with pytest.raises(SourceError, match=r"koniq-10k: .*is damaged.*Delete"):
        fetch("koniq-10k", tmp_path)


def test_a_token_is_used_and_never_told(hub, tmp_path, monkeypatch):
    publish(hub, "lapis")
    repo = hub.dataset("asmaerten/LAPIS")
    repo.gated = True
    monkeypatch.setitem(hub.tokens, "hf_wrong_secret", "carol")
    with pytest.raises(SourceError, match=r"lapis: .*is gated") as caught:
        fetch("lapis", tmp_path, token="hf_wrong_secret")
    assert "secret" not in str(caught.value)
    monkeypatch.setitem(hub.tokens, "hf_maker_secret", "asmaerten")
    assert len(load("lapis", fetch("lapis", tmp_path, token="hf_maker_secret").folder)) == 7


def test_two_who_want_one_database_at_once_fetch_it_once(hub, tmp_path):
    publish(hub, "spaq")
    with ThreadPoolExecutor(2) as pool:  # whose locks are as strange to each other as processes'
        one, other = pool.map(fetch, ["spaq"] * 2, [tmp_path] * 2)
    assert one == other
    assert len([line for line in requests() if line.startswith("GET /_lfs/")]) == 1


def test_a_split_archive_is_fetched_by_a_pattern(hub, tmp_path):
    publish(hub, "koniq-10k")
    repo = hub.dataset("VQA-CityU/IQA_data")
    whole = repo.files()["koniq.zip"]
    pieces = {f"koniq__zip__{n + 1:03d}": whole[n * 900 : (n + 1) * 900] for n in range(9)}
    repo.edit(**{name: piece for name, piece in pieces.items() if piece})
    table = SOURCES["koniq-10k"].files[1]
    source = replace(SOURCES["koniq-10k"], files=(SourceFile("koniq.zip.*"), table))
    assert len(load("koniq-10k", fetch(source, tmp_path).folder)) == 7


def test_every_source_says_its_terms_and_makers_who_ask_are_asked():
    assert {name for name in SOURCES if terms_of(name).accept} >= {"aadb", "spaq", "lapis", "para"}
    for name, source in SOURCES.items():
        assert source.name == name
        assert source.terms.licence
        assert source.terms.url.startswith("https://")
        assert str(source.terms.url) in str(source.terms)
    with pytest.raises(DatabaseError, match="no place is known where eva"):
        source_of("eva")
    with pytest.raises(DatabaseError, match="no database 'nothing'"):
        terms_of("nothing")
    with pytest.raises(SettingError, match="by hand"):
        DatabaseSource("spaq", "", (), Terms("x", "https://x"))


def test_a_photo_of_a_row_never_leaves_its_folder(hub, tmp_path):
    import pandas as pd

    from source_samples import parquet

    publish(hub, "ava")
    repo = hub.dataset(SOURCES["ava"].repo_id)
    rows = {"image_id": ["../../out"], "image": [{"bytes": b"\xff\xd8", "path": None}],
            "rating_counts": [[1] * 10]}  # fmt: skip
    repo.branches["main"] = repo.commit({"data/train-0.parquet": parquet(pd.DataFrame(rows))})
    with pytest.raises(SourceError, match=r"ava, from .*leads out of its folder"):
        fetch("ava", tmp_path)
    repo.branches["main"] = repo.commit({"data/train-0.parquet": b"PAR1 cut off"})
    source = replace(SOURCES["ava"], revision=repo.branches["main"])
    with pytest.raises(SourceError, match=r"ava, from .*train-0\.parquet"):
        fetch(source, tmp_path)
    assert names(tmp_path) <= {f"{ARRIVING}/ava.lock"} | {
        name for name in names(tmp_path) if name.startswith(f"{ARRIVING}/ava/")
    }


def test_archives_within_archives_are_unpacked_once_and_as_safely(hub, tmp_path):
    publish(hub, "aadb")
    repo = hub.dataset(SOURCES["aadb"].repo_id)
    bad = tarred({"AADB/inner.zip": zipped({"/etc/x.jpg": b"1"})})
    repo.branches["main"] = repo.commit({"AADB_aesthetic_IQA_eccv16.tar": bad})
    with pytest.raises(SourceError, match=r"aadb, from .*inner\.zip.*absolute path"):
        fetch("aadb", tmp_path)
    assert not (tmp_path / "aadb").exists()
