"""`personalize` on stars, `stars`, and `apply` with what it shows, asks, writes and takes back."""

import importlib
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aesthetic_tv.cli import app
from aesthetic_tv.photo_metadata import beside_album, embedding
from aesthetic_tv.photo_metadata.embedded import read_embedded
from aesthetic_tv.photo_metadata.stars import read_stars
from aesthetic_tv.photo_metadata.stars_plan import plan_stars
from aesthetic_tv.photo_metadata.stars_undo import undo_stars
from conftest import make_bank, make_scorer
from metadata_tools import rating_by_exiv2, read_by_exiftool
from sidecar_samples import rated
from test_stars_read import save


def run(*arguments: object, **options):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], **options)


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    """A bank and a scorer of it."""
    folder = tmp_path_factory.mktemp("models")
    make_bank().save_pretrained(folder / "bank")
    make_scorer().save_pretrained(folder / "scorer")
    return {"bank": folder / "bank", "scorer": folder / "scorer"}


@pytest.fixture
def album(photos, monkeypatch, tmp_path) -> Path:
    """Twelve photos: p00 to p05 have one to five stars beside them, p11 is rejected."""
    monkeypatch.setattr(beside_album, "user_data_path", lambda name: tmp_path / "own")
    for i, photo in enumerate(photos[:6]):
        photo.with_name(f"{photo.name}.xmp").write_bytes(rated(1 + i % 5))
    photos[11].with_suffix(".xmp").write_bytes(rated(-1))
    return photos[0].parent


def applied(album: Path, folders, *more: object, **options):
    return run("apply", album, "--scorer", folders["scorer"], "--xmp", *more, **options)


def test_a_taste_is_learned_from_stars(album, folders, tmp_path):
    out = tmp_path / "taste"
    fit = ["--bank", folders["bank"], "--out", out, "--solver", "instant", "--folds", 0]
    done = run("personalize", album, *fit)
    assert done.exit_code == 0, done.output
    assert "Your ratings: 6 of 12 photos have stars, 1 rejected (7 in sidecars)." in done.stdout
    assert "1 rejected photo: left out." in done.stderr
    done = run("personalize", album, "--ratings", "xmp", *fit, "--overwrite", "--rejected", 1)
    assert done.exit_code == 0, done.output
    assert "7 photos; no cross-validation" in done.stdout
    # With the person's own scale of stars, these count rather than shares.
    done = run("apply", album, "--scorer", out, "--bank", folders["bank"], "--xmp")
    assert "as you give stars yourself" in done.stdout


def test_a_taste_is_learned_from_the_comparisons_beside_ratings(album, folders, tmp_path):
    (album.parent / "photos.ratings.csv").write_text("photo,rating\np00.jpg,1\np01.jpg,4\n")
    (album.parent / "photos.comparisons.csv").write_text("better,worse\np02.jpg,p03.jpg\n")
    fit = ["--bank", folders["bank"], "--solver", "instant", "--folds", 0]
    done = run("personalize", album, *fit, "--out", tmp_path / "taste")
    assert done.exit_code == 0, done.output
    assert "2 ratings in" in done.stdout
    assert "1 comparison in" in done.stdout
    assert "4 photos; no cross-validation" in done.stdout


def test_suggest_takes_stars(album, folders):
    done = run("suggest", album, "--ratings", "xmp", "--bank", folders["bank"], "--count", 2)
    assert done.exit_code == 0, done.output
    assert "6 of 12 photos have stars" in done.stderr


def test_a_broken_sidecar_is_named_and_the_rest_is_learned_from(album, folders, tmp_path):
    (album / "p09.jpg.xmp").write_bytes(b"<x")
    fit = ["--bank", folders["bank"], "--solver", "instant", "--folds", 0]
    done = run("personalize", album, *fit, "--out", tmp_path / "taste")
    assert done.exit_code == 3
    assert "p09.jpg.xmp: is no whole XML" in done.stderr
    assert (tmp_path / "taste").is_dir()


def test_stars_are_counted_and_written_as_ratings(album, tmp_path):
    done = run("stars", album, "--out", tmp_path / "ratings.csv")
    assert done.exit_code == 0, done.output
    assert "6 of 12 photos have stars" in done.stdout
    assert (tmp_path / "ratings.csv").read_text().splitlines()[:2] == ["photo,rating", "p00.jpg,1"]
    assert run("stars", album, "--out", tmp_path / "ratings.csv").exit_code == 2


def test_without_a_terminal_apply_only_shows(album, folders):
    before = sorted(album.iterdir())
    done = applied(album, folders)
    assert done.exit_code == 0, done.output
    assert "What would change" in done.stdout
    assert "5 of 12 photos would get stars" in done.stdout
    assert "6 kept as they are: your own stars." in done.stdout
    assert "1 kept as it is: rejected by you." in done.stdout
    assert "Nothing was written." in done.stdout
    assert "--yes" in done.stderr
    assert sorted(album.iterdir()) == before


def test_apply_writes_when_told_to_and_takes_it_back(album, folders):
    before = sorted(album.iterdir())
    done = applied(album, folders, "--yes", "--stars", "0,0,0,0,100")
    assert done.exit_code == 0, done.output
    assert "5 files were written." in done.stdout
    assert (album / "p06.jpg.xmp").exists()  # as those beside it are called
    undo = album.parent / "photos.stars-undo.json"
    assert f"--undo {undo}" in done.stdout
    assert list(read_stars(album).ratings.values()).count(5) == 6
    done = run("apply", "--undo", undo)
    assert (done.exit_code, done.stdout) == (0, "5 files are as they were.\n")
    assert sorted(album.iterdir()) == before


def test_photos_that_were_rated_in_the_app_get_their_own_stars(album, folders):
    kept = album.parent / "photos.ratings.csv"
    kept.write_text("photo,rating\np00.jpg,5\np06.jpg,2\np07.jpg,3.5\n")
    done = applied(album, folders, "--yes", "--stars", "0,0,0,0,100")
    assert done.exit_code == 0, done.output
    assert "3 of them as you rated them in the app." in done.stdout
    stars = {Path(photo).name: x for photo, x in read_stars(album).ratings.items()}
    assert [stars[f"p{i:02d}.jpg"] for i in (0, 6, 7, 8)] == [1, 2, 4, 5]
    kept.write_text("photo,rating\ngone.jpg,5\n")
    done = applied(album, folders)
    assert done.exit_code == 0, done.output
    assert "your ratings cannot be read" in done.stderr


@pytest.mark.parametrize(("answer", "written"), [("y\n", 5), ("n\n", 0), ("\n", 0)])
def test_on_a_terminal_apply_asks(album, folders, monkeypatch, answer, written):
    command = importlib.import_module("aesthetic_tv.cli.apply")
    monkeypatch.setattr(command, "_on_terminal", lambda: True)
    before = len(list(album.iterdir()))
    done = applied(album, folders, input=answer)
    assert "Write 5 files?" in done.stdout
    assert len(list(album.iterdir())) == before + written
    assert "Write" not in applied(album, folders, "--dry-run").stdout


def test_apply_names_what_it_left_alone(album, folders):
    (album / "p08.xmp").write_bytes(rated(2)[:-30])
    (album / "p09.jpg").write_bytes(b"")
    done = applied(album, folders, "--yes")
    assert done.exit_code == 3
    assert "p08.jpg: p08.xmp is no whole XML" in done.stderr
    assert "p09.jpg: is empty." in done.stderr
    assert (album / "p08.xmp").read_bytes() == rated(2)[:-30]
    assert not (album / "p09.jpg.xmp").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--xmp"], "--scorer"),
        (["--scorer", "x"], "--xmp"),
        (["--scorer", "x", "--xmp", "--stars", "1,2"], "make 100"),
        (["--scorer", "x", "--embed", "--sidecars-to", "y"], "choose one"),
    ],
)
def test_apply_refuses_what_cannot_be(album, options, told):
    done = run("apply", album, *options)
    assert done.exit_code == 2
    assert told in done.stderr


def test_a_read_only_album_is_refused_before_anything(album, folders, monkeypatch, tmp_path):
    writing = importlib.import_module("aesthetic_tv.photo_metadata.stars_writing")
    can = writing.can_write
    monkeypatch.setattr(writing, "can_write", lambda folder: folder != album and can(folder))
    done = applied(album, folders, "--yes")
    assert done.exit_code == 2
    assert "--sidecars-to" in done.stderr
    assert applied(album, folders, "--sidecars-to", tmp_path / "side").exit_code == 0
    assert not (tmp_path / "side").exists()
    done = applied(album, folders, "--yes", "--sidecars-to", tmp_path / "side")
    assert done.exit_code == 0, done.output
    assert len(list((tmp_path / "side").iterdir())) == 5


# Into the photos


def test_stars_in_photos_with_the_same_pixels_and_back(tmp_path):
    """What exiftool and exiv2 read then; a kind that is not written into gets a sidecar."""
    pytest.importorskip("pyexiv2")
    from PIL import Image

    album = tmp_path / "album"
    album.mkdir()
    names = ["a.jpg", "b.png", "c.webp", "d.tif", "e.jpg", "f.jpg", "g.gif"]
    for name in names:
        save(album / name, exif={0x4746: 2} if name == "e.jpg" else None)
    (album / "f.jpg.xmp").write_bytes(rated(0))
    (album / "a.jpg").chmod(0o600)
    pixels = {name: Image.open(album / name).tobytes() for name in names}
    found = read_stars(album)
    plan = plan_stars(
        found, dict.fromkeys(found.photos, 4), album=album, overwrite=True, embed=True
    )
    done = plan.write()
    assert not done.failed
    assert {path.name for path in done.files} == {*names[:5], "f.jpg.xmp", "g.gif.xmp"}
    assert pixels == {name: Image.open(album / name).tobytes() for name in names}
    assert (album / "a.jpg").stat().st_mode & 0o777 == 0o600
    assert read_embedded(album / "e.jpg").exif.stars == 4  # both say the same
    assert not read_embedded(album / "a.jpg").exif.speaks
    by_exiftool = read_by_exiftool(album)
    assert {by_exiftool[name]["XMP-xmp:Rating"] for name in names[:5]} == {4}
    assert set(rating_by_exiv2([album / name for name in names[:5]]).values()) == {"4"}
    assert not undo_stars(done.undo).failed
    assert {Path(photo).name: x for photo, x in read_stars(album).ratings.items()} == {"e.jpg": 2}
    assert pixels == {name: Image.open(album / name).tobytes() for name in names}


def test_a_photo_changed_since_is_left_alone(tmp_path):
    pytest.importorskip("pyexiv2")
    album = tmp_path / "album"
    album.mkdir()
    for name in ("a.jpg", "b.jpg"):
        save(album / name)
    found = read_stars(album)
    plan = plan_stars(found, dict.fromkeys(found.photos, 4), album=album, embed=True)
    save(album / "a.jpg", 1)
    done = plan.write()
    assert list(done.failed) == [str(album / "a.jpg")]
    save(album / "b.jpg", 2)
    assert list(undo_stars(done.undo).failed) == [str(album.resolve() / "b.jpg")]
    assert set(read_stars(album).ratings.values()) == {1, 2}


def test_other_pixels_are_noticed_and_the_photo_stays(tmp_path, monkeypatch):
    pytest.importorskip("pyexiv2")
    photo = save(tmp_path / "a.jpg")
    before, seen = photo.read_bytes(), iter("ab")
    monkeypatch.setattr(embedding, "_pixels", lambda path: next(seen))
    with pytest.raises(ValueError, match="other pixels"):
        embedding.embed_stars(photo, 4, embedding.file_digest(photo))
    assert photo.read_bytes() == before
    assert list(tmp_path.iterdir()) == [photo]


def test_without_the_extra_embedding_is_refused_with_a_way_out(album, folders, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyexiv2", None)
    done = applied(album, folders, "--embed", "--yes")
    assert done.exit_code == 2
    assert "aesthetic-tv[xmp]" in done.stderr
