"""Writes are whole or not at all; names from a file stay in their folder."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from aesthetic_tv.errors import FormatError, OutputError
from aesthetic_tv.files import (
    atomic_folder,
    atomic_path,
    inside,
    read_config,
    write_json,
    write_tensors,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_whole(tmp_path):
    with atomic_path(tmp_path / "new" / "a.txt") as temporary:
        temporary.write_text("whole")
    assert (tmp_path / "new/a.txt").read_text() == "whole"
    assert names(tmp_path / "new") == ["a.txt"]


def test_the_old_file_stays_when_writing_fails(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(OutputError, match=r"a\.txt .*No space left"), atomic_path(target) as path:
        path.write_text("hal")
        raise OSError(28, "No space left on device")
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_any_other_failure_also_leaves_the_old_file(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_path(target) as path:
        path.write_text("hal")
        raise KeyboardInterrupt
    assert target.read_text() == "old" and names(tmp_path) == ["a.txt"]


def test_a_kill_in_the_middle_leaves_the_old_file(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    code = (
        "import sys, time; from aesthetic_tv.files import atomic_path\n"
        f"with atomic_path({str(target)!r}) as path:\n"
        "    path.write_text('hal'); print('half', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"half\n"
    child.kill()
    child.wait()
    assert target.read_text() == "old"


def test_a_folder_takes_the_place_of_one_of_its_kind_only(tmp_path):
    target = tmp_path / "mine"
    for text in ("first", "second"):
        with atomic_folder(target, marker="config.json") as temporary:
            (temporary / "config.json").write_text(text)
    assert (target / "config.json").read_text() == "second"
    (tmp_path / "other").mkdir()
    (tmp_path / "other/keep.txt").write_text("precious")
    with (
        pytest.raises(OutputError, match="left alone"),
        atomic_folder(tmp_path / "other", marker="config.json"),
    ):
        pass
    assert names(tmp_path) == ["mine", "other"]


def test_the_old_folder_stays_when_writing_fails(tmp_path):
    target = tmp_path / "mine"
    with atomic_folder(target, marker="config.json") as temporary:
        (temporary / "config.json").write_text("old")
    with (
        pytest.raises(OutputError, match="No space left"),
        atomic_folder(target, marker="config.json") as temporary,
    ):
        (temporary / "config.json").write_text("hal")
        raise OSError(28, "No space left on device")
    assert (target / "config.json").read_text() == "old"
    assert names(tmp_path) == ["mine"]


def test_a_tensor_file_is_readable_by_those_the_umask_allows(tmp_path):
    write_tensors(tmp_path / "t.safetensors", {"x": torch.zeros(2)})
    (tmp_path / "plain").write_text("")
    assert (tmp_path / "t.safetensors").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_folder_is_readable_by_those_the_umask_allows(tmp_path):
    with atomic_folder(tmp_path / "mine", marker="config.json") as temporary:
        (temporary / "config.json").write_text("{}")
    (tmp_path / "plain").mkdir()
    assert (tmp_path / "mine").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_config_round_trips(tmp_path):
    write_json(tmp_path / "c.json", {"format_version": 1, "name": "Grün"})
    assert read_config(tmp_path, "c.json")["name"] == "Grün"


def test_a_missing_config_is_named(tmp_path):
    with pytest.raises(FormatError, match=r"holds no c\.json"):
        read_config(tmp_path, "c.json")


def test_names_stay_in_their_folder(tmp_path):
    folder = tmp_path / "bank"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    assert inside(folder, "vectors/00") == folder.resolve() / "vectors/00"
    for name in ("..", "../x", "/etc/passwd", "vectors/../../x", "link/x"):
        with pytest.raises(FormatError, match="outside"):
            inside(folder, name)


def test_importing_the_package_does_not_load_torch():
    code = "import sys, aesthetic_tv; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
