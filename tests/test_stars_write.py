"""Stars into sidecars: what changes is the rating and nothing else, and all of it can be undone."""

import hashlib
import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aesthetic_tv.errors import FormatError, MetadataError, OutputError, SettingError
from aesthetic_tv.photo_metadata import stars_undo, stars_writing
from aesthetic_tv.photo_metadata.stars import read_stars
from aesthetic_tv.photo_metadata.stars_plan import plan_stars
from aesthetic_tv.photo_metadata.stars_undo import undo_stars, written_stars
from aesthetic_tv.photo_metadata.xmp import told_by_packet
from aesthetic_tv.photo_metadata.xmp_edit import (
    new_packet,
    reversed_splices,
    spliced,
    with_stars,
)
from metadata_tools import rating_by_exiv2, read_by_exiftool
from sidecar_samples import BEGIN, LAYOUTS, packet, rated
from test_stars_read import save


def edited(content: bytes, stars: int) -> bytes:
    splices = with_stars(content, stars)
    result = spliced(content, splices)
    assert spliced(result, reversed_splices(splices)) == content
    assert told_by_packet(result).stars == stars
    return result


# The bytes


@pytest.mark.parametrize("program", LAYOUTS)
@pytest.mark.parametrize("line", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_only_the_rating_of_a_layout_changes(program, line, encoding):
    text = LAYOUTS[program].replace("\n", line)
    wanted = re.sub(r"""(xmp:Rating(=.|>))3""", r"\g<1>5", text, count=1)
    assert wanted != text
    assert edited(text.encode(encoding), 5) == wanted.encode(encoding)


@pytest.mark.parametrize("program", LAYOUTS)
def test_a_rating_that_is_missing_is_put_in_and_nothing_else(program):
    text = re.sub(r"""\s*xmp:Rating="3"|<xmp:Rating>3</xmp:Rating>""", "", LAYOUTS[program])
    assert told_by_packet(text.encode()).stars in (None, 3)  # digiKam has Windows' besides
    result = edited(text.encode(), 4).decode()
    assert re.sub(r"""\s+xmp:Rating=["']4["']""", "", result) == text


DESCRIPTION = st.fixed_dictionaries(
    {
        "form": st.sampled_from(["attribute", "element", "empty", "missing", "foreign", "twice"]),
        "quote": st.sampled_from("\"'"),
        "blank": st.sampled_from([" ", "\n  ", "\r\n\t", "  "]),
        "prefix": st.sampled_from(["xmp", "xap", "x1"]),
        "number": st.sampled_from(["0", "3", " 2 ", "-1", "", "4.5", "9", "?"]),
        "other": st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="<&\"'"))
        .map(lambda text: text.strip("\ufffe\uffff"))
        .filter(lambda text: not {"\ufffe", "\uffff"} & set(text)),
        "encoding": st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le"]),
        "padding": st.sampled_from(["", " " * 2000, "\n", "\0\0"]),
    }
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(made=DESCRIPTION, stars=st.integers(1, 5))
def test_any_way_to_write_a_rating(made, stars):
    """Everything but the rating's own bytes is what it was, wherever these stand."""
    q, blank, p, form = made["quote"], made["blank"], made["prefix"], made["form"]
    number = made["number"]
    here = "\x01"  # where the rating is, or is to be
    attribute = f"{blank}{p}:Rating={q}{here}{q}" if form in ("attribute", "twice") else ""
    element = ""
    if form in ("element", "twice"):
        element = f"<{p}:Rating>{here}</{p}:Rating>"
    elif form == "empty":
        element = f"<{p}:Rating/>"
    space = "" if form == "foreign" else f"{blank}xmlns:{p}={q}http://ns.adobe.com/xap/1.0/{q}"
    text = (
        f"<x:xmpmeta xmlns:x={q}adobe:ns:meta/{q}><rdf:RDF "
        f"xmlns:rdf={q}http://www.w3.org/1999/02/22-rdf-syntax-ns#{q}>"
        f"<rdf:Description{blank}rdf:about={q}{q}{space}{blank}xmlns:o={q}other{q}"
        f"{blank}o:text={q}{made['other']}>{q}{attribute}>{element}<o:Rating>1</o:Rating>"
        f"<!-- {p}:Rating={q}2{q} --></rdf:Description></rdf:RDF></x:xmpmeta>{made['padding']}"
    )
    before = text.replace(here, number).encode(made["encoding"])
    after = edited(before, stars).decode(made["encoding"])
    if form in ("attribute", "element", "twice"):
        bare = number.strip()
        written = number.replace(bare, str(stars)) if bare else f"{stars}{number}"
        assert after == text.replace(here, written)
    elif form == "empty":
        assert after == text.replace(f"<{p}:Rating/>", f"<{p}:Rating>{stars}</{p}:Rating>")
    else:
        put_in = re.compile(
            rf"(\s+xmlns:\w+={q}http://ns.adobe.com/xap/1.0/{q})?\s+\w+:Rating={q}{stars}{q}"
            if form == "foreign"
            else rf"\s+{p}:Rating={q}{stars}{q}"
        )
        assert put_in.sub("", after, count=1) == text


@pytest.mark.parametrize(
    "content",
    [
        b"<a/>",
        rated(3)[:-40],
        b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF "
        b"xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'/></x:xmpmeta>",
        packet(inside="<xmp:Rating><rdf:Alt/></xmp:Rating>").encode(),
    ],
)
def test_what_has_no_place_for_stars_is_refused(content):
    with pytest.raises(MetadataError):
        with_stars(content, 3)


def test_splices_fit_only_what_they_were_made_for():
    with pytest.raises(MetadataError, match="not what it was"):
        spliced(rated(4), with_stars(rated(3), 5))


# The plan


@pytest.fixture
def album(tmp_path: Path) -> Path:
    folder = tmp_path / "album"
    (folder / "2023").mkdir(parents=True)
    for name in ("a.jpg", "b.jpg", "2023/c.jpg", "2023/d.png"):
        save(folder / name)
    return folder


def contents(folder: Path) -> dict[str, str]:
    """Hash of every file."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def plan(album: Path, stars: int = 4, **options):
    found = read_stars(album)
    return plan_stars(found, dict.fromkeys(found.photos, stars), album=album, **options)


def stars_of(album: Path) -> dict[str, float]:
    return {Path(photo).name: stars for photo, stars in read_stars(album).ratings.items()}


def test_new_sidecars_and_back(album):
    before = contents(album)
    made = plan(album)
    assert contents(album) == before  # nothing before `write`
    done = made.write()
    assert done.undo == album.parent / "album.stars-undo.json"
    assert {path.name for path in done.files} == {
        "a.jpg.xmp",
        "b.jpg.xmp",
        "c.jpg.xmp",
        "d.png.xmp",
    }
    assert contents(album).items() >= before.items()  # the photos are what they were
    assert stars_of(album) == dict.fromkeys(("a.jpg", "b.jpg", "c.jpg", "d.png"), 4)
    assert written_stars(album).keys() == read_stars(album).photos.keys()
    undone = undo_stars(done.undo)
    assert (len(undone.files), undone.failed) == (4, {})
    assert contents(album) == before
    assert not done.undo.exists()
    assert not written_stars(album)


def test_updated_sidecars_and_back_byte_by_byte(album):
    for name, program in zip(("a.jpg", "b.jpg", "2023/c.jpg"), LAYOUTS, strict=False):
        text = LAYOUTS[program].replace('xmp:Rating="3"', 'xmp:Rating="0"')
        (album / f"{name}.xmp").write_bytes(text.replace("\n", "\r\n").encode("utf-16"))
        (album / f"{name}.xmp").chmod(0o600)
    before = contents(album)
    done = plan(album, overwrite=True).write()
    assert set(stars_of(album).values()) == {4}
    assert (album / "a.jpg.xmp").stat().st_mode & 0o777 == 0o600
    undo_stars(done.undo)
    assert contents(album) == before


def test_stars_of_the_person_are_kept_wherever_they_are(album):
    save(album / "a.jpg", 2)
    save(album / "b.jpg", exif={0x4746: 1})
    (album / "2023" / "c.xmp").write_bytes(rated(-1))
    (album / "2023" / "d.png.xmp").write_bytes(rated(7))
    made = plan(album)
    assert not made.changed
    assert made.kept == {"your own stars": 2, "rejected by you": 1}
    assert "'7'" in next(iter(made.failed.values()))
    again = plan(album, overwrite=True)
    assert len(again.changed) == 4
    again.write()
    assert set(stars_of(album).values()) == {4}


def test_stars_of_an_earlier_run_may_be_replaced_and_those_changed_since_may_not(album):
    first = plan(album, 2).write()
    (album / "a.jpg.xmp").write_bytes(rated(5))
    made = plan(album, 4, written=written_stars(album))
    assert [row.photo.name for row in made.rows if not row.changes] == ["a.jpg"]
    second = made.write()
    assert second.undo is not None
    assert second.undo.name == "album.stars-undo-2.json"
    failed = undo_stars(first.undo).failed
    assert len(failed) == 4
    assert sum("album.stars-undo-2.json; take that back first" in x for x in failed.values()) == 3
    assert not undo_stars(second.undo).failed
    assert list(undo_stars(first.undo).failed) == [str(album.resolve() / "a.jpg.xmp")]
    assert stars_of(album) == {"a.jpg": 5}


def test_both_sidecars_of_a_photo_are_updated(album):
    (album / "a.xmp").write_bytes(rated(0))
    (album / "a.jpg.xmp").write_bytes(packet().encode())
    plan(album).write()
    for name in ("a.xmp", "a.jpg.xmp"):
        assert told_by_packet((album / name).read_bytes()).stars == 4


@pytest.mark.parametrize(
    ("naming", "there", "files"),
    [
        (None, None, {"a.jpg.xmp", "r.xmp", "p.xmp"}),
        (None, "z.jpg.xmp", {"a.jpg.xmp", "r.nef.xmp", "p.jpg.xmp", "p.nef.xmp"}),
        (None, "z.xmp", {"a.xmp", "r.xmp", "p.xmp"}),
        ("lightroom", "z.jpg.xmp", {"a.xmp", "r.xmp", "p.xmp"}),
        ("darktable", "z.xmp", {"a.jpg.xmp", "r.nef.xmp", "p.jpg.xmp", "p.nef.xmp"}),
    ],
)
def test_names_of_new_sidecars(tmp_path, naming, there, files):
    """A JPEG, a RAW file, and a pair of both; beside a photo whose sidecar is called so."""
    album = tmp_path / "album"
    album.mkdir()
    tiff = save(tmp_path / "x.tif").read_bytes()
    for name in ("a.jpg", "p.jpg", "z.jpg"):
        save(album / name)
    for name in ("r.nef", "p.nef"):
        (album / name).write_bytes(tiff)
    if there:
        (album / there).write_bytes(rated(1))
    done = plan(album, naming=naming).write()
    assert {path.name for path in done.files} - {"z.jpg.xmp", "z.xmp"} == files


def test_two_photos_of_one_name_never_share_a_new_sidecar(album):
    save(album / "a.png")
    done = plan(album, naming="lightroom").write()
    assert {"a.xmp", "a.png.xmp"} <= {path.name for path in done.files}


def test_a_broken_sidecar_is_named_and_never_overwritten(album):
    broken = rated(3)[:-50]
    (album / "a.xmp").write_bytes(broken)
    made = plan(album, overwrite=True)
    assert "a.xmp is no whole XML" in made.failed[str(album / "a.jpg")]
    made.write()
    assert (album / "a.xmp").read_bytes() == broken
    assert not (album / "a.jpg.xmp").exists()


def test_a_sidecar_changed_between_plan_and_writing_is_named_and_skipped(album):
    (album / "a.jpg.xmp").write_bytes(rated(0))
    made = plan(album)
    (album / "a.jpg.xmp").write_bytes(rated(1))
    (album / "b.jpg.xmp").write_bytes(rated(2))  # there was none
    done = made.write()
    assert {Path(file).name for file in done.failed} == {"a.jpg.xmp", "b.jpg.xmp"}
    assert all("changed since" in reason for reason in done.failed.values())
    assert stars_of(album) == {"a.jpg": 1, "b.jpg": 2, "c.jpg": 4, "d.png": 4}
    undo_stars(done.undo)
    assert stars_of(album) == {"a.jpg": 1, "b.jpg": 2}


def test_a_full_disk_leaves_whole_files_and_an_undo_file_of_them(album, monkeypatch):
    (album / "b.jpg.xmp").write_bytes(rated(0))
    before = contents(album)
    made, left = plan(album), [2]
    write = Path.write_bytes

    def full(path, content):
        left[0] -= 1
        if left[0] < 0:
            write(path, content[:7])
            raise OSError(28, "No space left on device")
        return write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        done = made.write()
    assert len(done.files) == 2
    assert len(done.failed) == 2
    assert all("No space left" in reason for reason in done.failed.values())
    assert sorted(stars_of(album).values()) == [4, 4]
    assert not [path for path in album.rglob("*") if path.name.endswith(".tmp")]
    assert len(json.loads(done.undo.read_text())["files"]) == 2
    assert not undo_stars(done.undo).failed
    assert contents(album) == before


def test_a_run_that_is_killed_can_be_undone(album):
    before = contents(album)

    def stop(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        plan(album).write(progress=stop)
    assert len(stars_of(album)) == 2
    assert not undo_stars(album.parent / "album.stars-undo.json").failed
    assert contents(album) == before


def test_a_read_only_album_is_refused_before_anything_with_a_way_out(album, monkeypatch, tmp_path):
    before = contents(album)
    closed = album / "2023"
    monkeypatch.setattr(stars_writing, "can_write", lambda folder: folder != closed)
    with pytest.raises(OutputError, match="--sidecars-to"):
        plan(album).write()
    assert contents(album) == before
    assert not list(album.parent.glob("*undo*"))


def test_sidecars_in_another_folder(album, tmp_path):
    (album / "2023" / "c.jpg.xmp").write_bytes(packet('xmp:Label="Red"').encode())
    before, other = contents(album), tmp_path / "sidecars"
    done = plan(album, sidecars_to=other).write()
    assert contents(album) == before
    assert set(contents(other)) == {"a.jpg.xmp", "b.jpg.xmp", "2023/c.jpg.xmp", "2023/d.png.xmp"}
    told = told_by_packet((other / "2023" / "c.jpg.xmp").read_bytes())
    assert (told.stars, told.label) == (4, "Red")  # what stands beside the photo goes along
    assert plan(album, 1, sidecars_to=other).kept == {"your own stars": 4}
    plan(album, 1, sidecars_to=other, overwrite=True).write(tmp_path / "undo.json")
    assert told_by_packet((other / "a.jpg.xmp").read_bytes()).stars == 1
    undo_stars(tmp_path / "undo.json")
    undo_stars(done.undo)
    assert not contents(other)


def test_undo_leaves_what_was_changed_since_and_keeps_it_in_its_file(album):
    done = plan(album).write()
    (album / "a.jpg.xmp").write_bytes(rated(1))
    (album / "b.jpg.xmp").unlink()
    undone = undo_stars(done.undo)
    assert len(undone.files) == 3  # what is gone is as it was
    assert list(undone.failed) == [str(album.resolve() / "a.jpg.xmp")]
    assert stars_of(album) == {"a.jpg": 1}
    assert len(json.loads(done.undo.read_text())["files"]) == 1


def test_undo_after_the_album_was_moved(album):
    done = plan(album).write()
    moved = album.rename(album.with_name("elsewhere"))
    assert len(undo_stars(done.undo, moved).files) == 4
    assert not stars_of(moved)


@pytest.mark.parametrize("name", ["../x.xmp", "/etc/x.xmp", "a/../../x.xmp", "a.jpg", ""])
def test_an_undo_file_leads_nowhere_but_to_sidecars_of_its_folder(album, name):
    done = plan(album).write()
    undo = json.loads(done.undo.read_text())
    undo["files"][0]["file"] = name
    del undo["json_sha256"]
    done.undo.write_text(json.dumps(undo))
    with pytest.raises(FormatError):
        undo_stars(done.undo)


def test_a_damaged_undo_file_is_refused(album):
    done = plan(album).write()
    text = done.undo.read_text()
    done.undo.write_text(text.replace("a.jpg.xmp", "z.jpg.xmp"))
    with pytest.raises(FormatError, match="damaged"):
        undo_stars(done.undo)
    assert stars_of(album)
    assert not written_stars(album)


@pytest.mark.skipif(os.name != "posix", reason="names there are text")
def test_names_that_are_no_text(album):
    name = os.fsdecode(b"caf\xe9\n.jpg")
    save(album / "x.jpg").rename(album / name)
    before = contents(album)
    done = plan(album).write()
    assert (album / f"{name}.xmp").exists()
    assert str(album / name) in written_stars(album)
    assert not undo_stars(done.undo).failed
    assert contents(album) == before


def test_an_undo_file_is_never_overwritten(album, tmp_path):
    (tmp_path / "undo.json").touch()
    with pytest.raises(OutputError, match="exists"):
        plan(album).write(tmp_path / "undo.json")
    assert not stars_of(album)


def test_a_linked_sidecar_stays_a_link(album, tmp_path):
    (tmp_path / "kept.xmp").write_bytes(rated(0))
    (album / "a.jpg.xmp").symlink_to(tmp_path / "kept.xmp")
    done = plan(album).write()
    assert (album / "a.jpg.xmp").is_symlink()
    assert told_by_packet((tmp_path / "kept.xmp").read_bytes()).stars == 4
    undo_stars(done.undo)
    assert (tmp_path / "kept.xmp").read_bytes() == rated(0)


def test_stars_that_cannot_be_are_refused(album):
    found = read_stars(album)
    for stars in (0, 6, 3.5):
        with pytest.raises(SettingError, match="expected 1 to 5"):
            plan_stars(found, {str(album / "a.jpg"): stars}, album=album)
    with pytest.raises(SettingError, match="none of the photos"):
        plan_stars(found, {"other.jpg": 3}, album=album)


def test_undo_goes_to_the_persons_own_folder_where_the_album_is_read_only(
    album, monkeypatch, tmp_path
):
    monkeypatch.setattr(stars_undo, "can_write", lambda folder: folder != album.parent)
    monkeypatch.setattr(
        "aesthetic_tv.photo_metadata.beside_album.user_data_path", lambda name: tmp_path / "own"
    )
    done = plan(album).write()
    assert done.undo.parent == tmp_path / "own" / "ratings"
    assert len(written_stars(album)) == 4
    assert not undo_stars(done.undo).failed


# Other programs


def test_exiftool_and_exiv2_read_what_was_written_and_all_else_as_it_was(album):
    """New sidecars, updated ones of all layouts and encodings, with and without stars before."""
    files = dict[str, bytes]()
    for program, text in LAYOUTS.items():
        without = re.sub(r"""\s*xmp:Rating="3"|<xmp:Rating>3</xmp:Rating>""", "", text)
        files[f"{program}.jpg.xmp"] = text.encode()
        files[f"{program}-without.jpg.xmp"] = without.encode()
        # exiftool tells UTF-16 by the packet's first line.
        wide = text if text.startswith("<?") else f"{BEGIN}\n{text}"
        files[f"{program}-wide.jpg.xmp"] = wide.replace('encoding="UTF-8"', "").encode("utf-16")
    for name, content in files.items():
        save(album / name.removesuffix(".xmp"))
        (album / name).write_bytes(content)
    before = read_by_exiftool(album)
    plan(album, 5, overwrite=True).write()
    after = read_by_exiftool(album)
    sidecars = sorted(album.rglob("*.xmp"))
    assert len(sidecars) == len(files) + 4
    for path in sidecars:
        assert after[path.name]["XMP-xmp:Rating"] == 5, path.name
        if path.name in before:
            assert _same(after[path.name]) == _same(before[path.name]), path.name
    # exiv2 reads XMP in UTF-8 alone, whoever wrote it.
    narrow = [path for path in sidecars if "-wide" not in path.name]
    assert set(rating_by_exiv2(narrow).values()) == {"5"}
    assert len(rating_by_exiv2(narrow)) == len(narrow)


def _same(tags: dict) -> dict:
    """Without the rating and what tells of the file itself."""
    return {k: v for k, v in tags.items() if k != "XMP-xmp:Rating" and not k.startswith("System:")}


def test_a_new_packet_is_short_and_whole():
    assert told_by_packet(new_packet(5)).stars == 5
    assert len(new_packet(5)) < 500
