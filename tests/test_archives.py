"""Archives of databases: unpacked whole where they are safe, and refused before a byte is written
where they are not.
"""

import gzip
import io
import os
import stat
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from aesthetic_tv.databases.archives import ArchiveLimits, contents, is_archive, unpack
from aesthetic_tv.databases.photos import unreadable
from aesthetic_tv.databases.zip_photos import (
    ZippedPhoto,
    photos_in_zip,
    stays_packed,
    stored_photo,
)
from aesthetic_tv.errors import ArchiveError, OutputError, PhotoError, SettingError
from database_samples import photo_bytes

KINDS = ["x.zip", "x.tar", "x.tgz", "x.tar.gz", "x.tar.bz2", "x.tar.xz"]
FILES = {"a/b/1.jpg": os.urandom(3000), "a/2.jpg": os.urandom(2000), "labels.csv": b"photo,score\n"}


def packed(path: Path, files: dict[str, bytes]) -> Path:
    """An archive of the kind that its name says."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(zipfile.ZipInfo(name), content)
        return path
    with tar(path) as archive:
        for name, content in files.items():
            add(archive, name, content)
    return path


def tar(path: Path) -> tarfile.TarFile:
    kind = {".tgz": "gz", ".gz": "gz", ".bz2": "bz2", ".xz": "xz"}.get(path.suffix, "")
    return tarfile.open(path, f"w:{kind}")


def add(archive: tarfile.TarFile, name: str, content: bytes = b"", kind: bytes | None = None):
    header = tarfile.TarInfo(name)
    header.size, header.type = len(content), kind or header.type
    header.linkname = "/etc/passwd" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
    archive.addfile(header, io.BytesIO(content))


def read(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def place(tmp_path: Path):
    """A folder that an archive is unpacked into, with a file beside that must stay as it is."""
    outer = tmp_path / "outer"
    outer.mkdir()
    (outer / "mine.txt").write_text("mine")
    yield outer / "in"
    assert read(outer).pop("mine.txt") == b"mine"
    assert {path.name for path in outer.iterdir()} <= {"mine.txt", "in"}


def refuses(archives: list[Path], folder: Path, match: str, **limits) -> None:
    """Both looking and unpacking refuse, and nothing is written."""
    for attempt in (contents, lambda *a, **k: unpack(*a, folder, **k)):
        with pytest.raises(ArchiveError, match=match) as caught:
            attempt(archives, limits=ArchiveLimits(**limits) if limits else None)
        assert archives[-1].name.split(".")[0] in str(caught.value)  # it names the archive
    assert not folder.exists()


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_unpacked_as_it_was_packed(tmp_path, place, name):
    told = []
    archive = packed(tmp_path / name, FILES)
    assert unpack([archive], place, progress=lambda *step: told.append(step)) == place
    assert read(place) == FILES
    assert told[-1] == (5012, 5012)


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz"])
def test_an_archive_cut_in_pieces_is_unpacked_from_them_in_any_order(tmp_path, place, name):
    whole = packed(tmp_path / name, FILES).read_bytes()
    pieces = [tmp_path / f"{name}.{number:03d}" for number in range(1, 5)]
    size = len(whole) // 3
    for number, piece in enumerate(pieces):
        piece.write_bytes(whole[number * size : (number + 1) * size])
    unpack(pieces[::-1], place)
    assert read(place) == FILES
    (tmp_path / name).unlink()
    with pytest.raises(ArchiveError, match="number 2 is not there"):
        unpack([pieces[0], *pieces[2:]], tmp_path / "other")


def spanned(folder: Path, files: dict[str, bytes]) -> list[Path]:
    """A zip in volumes `x.z01`, `x.z02`, `x.zip`, as `zip -s` makes it: each entry's place counts
    from the start of its volume. Written here, for `zip` is not on every machine.
    """
    volumes, directory = [b"PK\7\x08"], b""
    for number, (name, content) in enumerate(files.items()):
        with zipfile.ZipFile(alone := io.BytesIO(), "w") as archive:
            archive.writestr(zipfile.ZipInfo(name), content)
        data = alone.getvalue()
        start = data.index(b"PK\1\2")
        entry = bytearray(data[start : data.index(b"PK\5\6")])
        struct.pack_into("<H", entry, 34, number)
        struct.pack_into("<L", entry, 42, len(volumes[number]))
        volumes[number] += data[:start]
        directory += bytes(entry)
        if number + 1 < len(files):
            volumes.append(b"")
    last, at, count = len(volumes) - 1, len(volumes[-1]), len(files)
    end = struct.pack("<4s4H2LH", b"PK\5\6", last, last, 1, count, len(directory), at, 0)
    volumes[-1] += directory + end
    paths = [folder / f"x.z{number:02d}" for number in range(1, len(volumes))] + [folder / "x.zip"]
    for path, content in zip(paths, volumes, strict=True):
        path.write_bytes(content)
    return paths


def test_a_zip_in_volumes_is_unpacked(tmp_path, place):
    paths = spanned(tmp_path, FILES)
    unpack(paths, place)
    assert read(place) == FILES
    for lost in paths[:-1]:
        refuses([path for path in paths if path != lost], tmp_path / "no", "x.zip")


@pytest.mark.parametrize("kind", ["x.zip", "x.tar", "x.tgz"])
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../out.jpg", "leads out"),
        ("a/../../out.jpg", "leads out"),
        ("..\\out.jpg", "leads out"),
        ("/tmp/out.jpg", "absolute path"),
        ("C:\\out.jpg", "absolute path"),
        ("\\\\host\\out.jpg", "absolute path"),
        ("a\n.jpg", "control characters"),
        ("a" * 300, "too long"),
        ("a/" * 40 + "1.jpg", "folders deep"),
        ("d/" * 30 + "x" * 250 + "/" + "y" * 250 + "/" + "z" * 250 + "/" + "w" * 250, "too long"),
    ],
)
def test_names_that_lead_out_or_that_no_disk_can_hold_are_refused(tmp_path, place, kind, name, why):
    refuses([packed(tmp_path / kind, {"good.jpg": b"1", name: b"2"})], place, why)


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_of_a_tar_are_refused(tmp_path, place, kind):
    with tar(tmp_path / "x.tar") as archive:
        add(archive, "good.jpg", b"1")
        add(archive, "link", kind=kind)
    refuses([tmp_path / "x.tar"], place, "'link' is a link, a device")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_of_a_zip_are_refused(tmp_path, place, kind):
    info = zipfile.ZipInfo("link")
    info.external_attr = (kind | 0o644) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("good.jpg", b"1")
        archive.writestr(info, "/etc/passwd")
    refuses([tmp_path / "x.zip"], place, "'link' is a link or a device")


def test_a_file_below_a_link_never_follows_it(tmp_path, place):
    (tmp_path / "secret").mkdir()
    with tar(tmp_path / "x.tar") as archive:
        header = tarfile.TarInfo("d")
        header.type, header.linkname = tarfile.SYMTYPE, str(tmp_path / "secret")
        archive.addfile(header)
        add(archive, "d/out.jpg", b"1")
    refuses([tmp_path / "x.tar"], place, "is a link")
    assert not any((tmp_path / "secret").iterdir())


@pytest.mark.parametrize("kind", ["x.zip", "x.tar"])
def test_entries_in_each_others_way_are_refused(tmp_path, place, kind):
    twice = tmp_path / kind
    if kind == "x.zip":
        with zipfile.ZipFile(twice, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.jpg", b"1")
            archive.writestr("a.jpg", b"2")
    else:
        with tar(twice) as archive:
            add(archive, "a.jpg", b"1")
            add(archive, "./a.jpg", b"2")
    refuses([twice], place, r"'a\.jpg' is there twice")
    for files, why in (
        ({"A/1.jpg": b"1", "a/2.jpg": b"2"}, "only by capitals"),
        ({"a.jpg": b"1", "A.JPG": b"2"}, "only by capitals"),
        ({"a": b"1", "a/1.jpg": b"2"}, "a file as well|is there twice"),
        ({"a/1.jpg": b"2", "a": b"1"}, "a file as well|is there twice"),
    ):
        refuses([packed(tmp_path / kind, files)], place, why)
    both = packed(tmp_path / kind, {"a.jpg": b"1", "A.jpg": b"2"})
    unpack([both], place, limits=ArchiveLimits(same_but_for_case=True))
    assert read(place) == {"a.jpg": b"1", "A.jpg": b"2"}


def test_what_a_mac_adds_is_left_out_and_no_part_of_a_database(tmp_path, place):
    files = {"spaq/1.jpg": b"1", "spaq/._1.jpg": b"x", "__MACOSX/spaq/._1.jpg": b"x"}
    unpack([packed(tmp_path / "x.tar", files | {"spaq/.DS_Store": b"x"})], place)
    assert read(place) == {"spaq/1.jpg": b"1"}


def test_a_small_archive_that_grows_without_end_is_refused(tmp_path, place):
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.jpg", bytes(20 << 20))
    refuses([tmp_path / "x.zip"], place, "over 100 times")
    with tar(tmp_path / "x.tgz") as archive:
        add(archive, "zeros.jpg", bytes(20 << 20))
    refuses([tmp_path / "x.tgz"], place, "over 100 times")
    refuses([packed(tmp_path / "y.zip", FILES)], place, "more than 5,000 bytes", max_bytes=5000)


def test_a_zip_whose_entries_share_their_bytes_is_refused(tmp_path, place):
    """David Fifield's bomb: many entries in the table of contents, one content for all."""
    data = packed(tmp_path / "x.zip", {"a.jpg": os.urandom(1000)}).read_bytes()
    start, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    entries = [data[start:end].replace(b"a.jpg", b"%c.jpg" % (98 + n)) for n in range(20)]
    table = b"".join(entries)
    tail = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 20, 20, len(table), start, 0)
    (tmp_path / "x.zip").write_bytes(data[:start] + table + tail)
    refuses([tmp_path / "x.zip"], place, "shares its bytes with")


def test_a_million_entries_are_refused_before_they_are_read(tmp_path, place):
    entry = struct.pack(
        "<4s4B4HL2L5H2L", b"PK\1\2", 20, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0
    )
    table = (entry + b"a") * 1_000_000
    count = (0xFFFF, 0xFFFF)
    end64 = struct.pack(
        "<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 10**6, 10**6, len(table), 0
    )  # fmt: skip
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(table), 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, *count, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    (tmp_path / "x.zip").write_bytes(table + end64 + locator + end)
    refuses([tmp_path / "x.zip"], place, "more than 500,000 entries")
    # One that says there are few is counted all the same.
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(table), 0, 0)
    (tmp_path / "x.zip").write_bytes(table + end)
    refuses([tmp_path / "x.zip"], place, "more than 500,000 entries")


def test_a_million_entries_of_a_small_tar_are_refused(tmp_path, place):
    thousand = gzip.compress(tarfile.TarInfo("a").tobuf() * 1000)
    (tmp_path / "x.tgz").write_bytes(thousand * 1000)
    refuses([tmp_path / "x.tgz"], place, "over 100 times")
    with tar(tmp_path / "x.tar") as archive:
        for number in range(300):
            add(archive, str(number))
    refuses([tmp_path / "x.tar"], place, "more than 250 entries", max_entries=250)


def test_a_header_that_would_fill_the_memory_is_refused(tmp_path, place):
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 1 << 33
    (tmp_path / "x.tar").write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(10240))
    refuses([tmp_path / "x.tar"], place, "a header of 8,589,934,592 bytes")


@pytest.mark.parametrize("name", KINDS)
def test_an_archive_that_is_cut_off_is_refused(tmp_path, place, name):
    archive = packed(tmp_path / name, FILES)
    whole = archive.read_bytes()
    for share in (0.3, 0.6, 0.95):
        if name == "x.tar" and share > 0.9:
            continue  # its last bytes are empty blocks, more than it needs
        archive.write_bytes(whole[: int(len(whole) * share)])
        refuses([archive], place, "cut off|damaged|no table of contents")


def test_a_tar_that_ends_right_behind_a_file_is_cut_off_too(tmp_path, place):
    archive = packed(tmp_path / "x.tar", {"1.jpg": bytes(512), "2.jpg": bytes(512)})
    archive.write_bytes(archive.read_bytes()[:1024])
    refuses([archive], place, "it has no end")


@pytest.mark.parametrize("name", ["x.zip", "x.tgz"])
def test_a_flipped_bit_is_noticed_and_nothing_is_kept(tmp_path, place, name):
    archive = packed(tmp_path / name, {"a.jpg": os.urandom(50_000), "b.jpg": b"1"})
    content = bytearray(archive.read_bytes())
    content[30_000] ^= 1
    archive.write_bytes(content)
    with pytest.raises(ArchiveError, match=r"x\.(zip|tgz) is damaged"):
        unpack([archive], place)
    assert not place.exists()


def test_what_is_no_archive_is_told(tmp_path, place):
    for name in ("x.zip", "x.tar", "x.tgz"):
        (tmp_path / name).write_text("<html>not found</html>" * 100)
        refuses([tmp_path / name], place, "no zip|damaged or cut off")
    refuses([packed(tmp_path / "x.zip", {})], place, "holds no files")
    with pytest.raises(ArchiveError, match="cannot be read"):
        unpack([tmp_path / "nowhere.zip"], place)


def test_a_locked_zip_is_told(tmp_path, place):
    data = bytearray(packed(tmp_path / "x.zip", {"a.jpg": b"1"}).read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    (tmp_path / "x.zip").write_bytes(data)
    refuses([tmp_path / "x.zip"], place, "password")


def test_a_folder_that_holds_something_is_left_alone(tmp_path, place):
    place.mkdir()
    (place / "photo.jpg").write_bytes(b"mine")
    with pytest.raises(OutputError, match="left alone"):
        unpack([packed(tmp_path / "x.zip", FILES)], place)
    assert read(place) == {"photo.jpg": b"mine"}


def test_several_archives_may_not_write_over_each_other(tmp_path, place):
    one, other = packed(tmp_path / "x.zip", FILES), packed(tmp_path / "y.tar", {"c.jpg": b"1"})
    unpack([one, other], place)
    assert read(place) == FILES | {"c.jpg": b"1"}
    refuses([one, packed(tmp_path / "x.tar", {"a/2.jpg": b"1"})], tmp_path / "no", "there twice")


def test_a_full_disk_leaves_nothing_behind(tmp_path, place, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("aesthetic_tv.databases.archives._copied", full)
    with pytest.raises(OutputError, match="No space left"):
        unpack([packed(tmp_path / "x.zip", FILES)], place)
    assert not place.exists()


def test_limits_and_names_of_archives():
    assert all(map(is_archive, [*KINDS, "x.zip.001", "x.z01", "X.TAR.GZ"]))
    assert not any(map(is_archive, ["x.csv", "x.parquet", "x.jpg.1", "zip", "x.gz"]))
    with pytest.raises(SettingError, match="over 0"):
        ArchiveLimits(max_entries=0)


def zip_of(path: Path, method: int, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_photos_are_read_from_inside_a_zip(tmp_path, method):
    files = {f"koniq/{n}.jpg": photo_bytes(n) for n in range(5)}
    archive = zip_of(tmp_path / "x.zip", method, files | {"table.csv": b"1"})
    found = photos_in_zip(archive)
    assert {name: photo.read() for name, photo in found.items()} == files
    assert [photo.size for photo in found.values()] == [len(content) for content in files.values()]
    first = found["koniq/0.jpg"]
    assert ZippedPhoto.of(str(first)) == first
    assert stored_photo({"bytes": None, "path": str(first)}) == files["koniq/0.jpg"]
    assert stored_photo({"bytes": None, "path": "/a.jpg"}) == "/a.jpg"
    assert stored_photo({"bytes": b"1", "path": "/a.jpg"}) == b"1"


def test_a_zip_stays_packed_where_it_holds_photos_alone_that_were_not_packed_again(tmp_path):
    photos = {f"{n}.jpg": photo_bytes(n) for n in range(3)}
    stored, packed_again = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
    assert stays_packed(zip_of(tmp_path / "a.zip", stored, photos))
    assert not stays_packed(zip_of(tmp_path / "b.zip", packed_again, photos))
    assert not stays_packed(zip_of(tmp_path / "c.zip", stored, photos | {"labels.csv": b"1"}))
    assert not stays_packed(packed(tmp_path / "d.tar", photos))


def test_a_photo_of_a_zip_that_is_damaged_or_gone_is_named(tmp_path):
    photo = photo_bytes(1)
    archive = zip_of(tmp_path / "x.zip", zipfile.ZIP_STORED, {"1.jpg": photo})
    found = photos_in_zip(archive)["1.jpg"]
    assert found.header() == photo
    whole = archive.read_bytes()
    at = whole.index(photo) + len(photo) // 2
    archive.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    with pytest.raises(PhotoError, match=r"1\.jpg::.*is damaged; fetch x\.zip again"):
        found.read()
    assert list(unreadable([found], "full")) == [0]
    archive.write_bytes(whole)
    with pytest.raises(PhotoError, match="no such file in the archive"):
        ZippedPhoto(archive, "2.jpg").read()
    archive.unlink()
    with pytest.raises(PhotoError, match="is not there"):
        found.read()
    with pytest.raises(ArchiveError, match="cannot be read"):
        photos_in_zip(archive)


def test_the_header_of_a_large_photo_is_read_without_the_rest(tmp_path):
    large = photo_bytes(1) + bytes(1 << 20)
    archive = zip_of(tmp_path / "x.zip", zipfile.ZIP_STORED, {"1.jpg": large})
    found = photos_in_zip(archive)["1.jpg"]
    assert len(found.header()) == 1 << 18
    assert unreadable([found], "header") == {}
