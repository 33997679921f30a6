"""Writes are whole or not at all; damage is noticed; names from a file stay in their folder."""

import json
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from aesthetic_tv import files
from aesthetic_tv.errors import FormatError, OutputError, PhotoError
from aesthetic_tv.files import (
    atomic_folder,
    atomic_path,
    inside,
    read_config,
    read_hashed,
    write_hashed,
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


def test_two_threads_that_write_one_file_do_not_meet(tmp_path):
    together, failures = threading.Barrier(4), []

    def write(number: int) -> None:
        try:
            for _ in range(10):
                with atomic_path(tmp_path / "a.txt") as temporary:
                    together.wait(30)
                    temporary.write_text(str(number) * 1000)
        except BaseException as error:
            failures.append(error)
            together.abort()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(set((tmp_path / "a.txt").read_text())) == 1
    assert names(tmp_path) == ["a.txt"]


def test_the_umask_of_the_process_is_never_touched(tmp_path, monkeypatch):
    def touched(mask):
        raise AssertionError("another thread would make a file that all may write to")

    monkeypatch.setattr(os, "umask", touched)
    write_json(tmp_path / "c.json", {"format_version": 1})
    with atomic_folder(tmp_path / "mine", marker="config.json") as temporary:
        write_hashed(temporary / "t.safetensors", {"x": torch.zeros(2)})


def write_folder(target: Path, text: str) -> None:
    with atomic_folder(target, marker="config.json") as temporary:
        (temporary / "config.json").write_text(text)


@pytest.mark.parametrize("at_once", [True, False])
def test_the_old_folder_is_back_when_the_new_one_cannot_take_its_place(
    tmp_path, monkeypatch, at_once
):
    target, rename = tmp_path / "mine", Path.rename
    write_folder(target, "old")

    def failing(self, to):
        if Path(to) == target and ".aside" not in self.name:
            raise OSError(5, "Input/output error")
        return rename(self, to)

    def refused(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "rename", failing)
    monkeypatch.setattr(files, "_renamed_at_once", refused if at_once else lambda *_: False)
    with pytest.raises(OutputError, match="as it was"):
        write_folder(target, "new")
    assert (target / "config.json").read_text() == "old" and names(tmp_path) == ["mine"]
    monkeypatch.setattr(Path, "rename", rename)
    monkeypatch.setattr(files, "_renamed_at_once", lambda *_: False)
    write_folder(target, "new")
    assert (target / "config.json").read_text() == "new" and names(tmp_path) == ["mine"]


def gone(target: Path, end: str = "") -> Path:
    """The name of a temporary whose process is gone."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    mine = files._sibling(target).name
    return target.with_name(mine.replace(f"-{os.getpid()}-", f"-{child.pid}-") + end)


@pytest.mark.skipif(os.name != "posix", reason="nothing is cleaned there")
def test_what_killed_processes_left_is_cleaned_and_nothing_else(tmp_path):
    target, folder = tmp_path / "a.txt", tmp_path / "mine"
    for path in (gone(target), gone(folder)):
        path.mkdir()
        (path / "a.txt").write_text("hal")
    kept = [
        files._sibling(target),  # of a process that runs
        tmp_path / ".a.txt.1234.tmp",
        gone(tmp_path / "b.txt"),
        Path(str(gone(target)).replace(files._place(), "0" * 8)),  # of another machine
    ]
    for path in kept:
        path.mkdir()
    with atomic_path(target) as temporary:
        temporary.write_text("whole")
    write_folder(folder, "whole")
    assert names(tmp_path) == sorted(["a.txt", "mine", *(path.name for path in kept)])


@pytest.mark.skipif(os.name != "posix", reason="nothing is cleaned there")
def test_a_folder_whose_process_was_killed_in_the_moment_without_it_is_put_back(tmp_path):
    target = tmp_path / "mine"
    aside = gone(target, ".aside")
    aside.mkdir()
    (aside / "other.txt").write_text("precious")
    with pytest.raises(OutputError, match="left alone"):
        write_folder(target, "new")
    assert (target / "other.txt").read_text() == "precious" and names(tmp_path) == ["mine"]


def test_a_link_to_a_folder_stays_one(tmp_path):
    write_folder(tmp_path / "real", "old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_folder(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real/config.json").read_text() == "new"
    assert names(tmp_path) == ["link", "real"]


def test_an_error_of_ours_inside_is_not_taken_for_one_of_writing(tmp_path):
    with pytest.raises(PhotoError, match="no photo"), atomic_path(tmp_path / "a.txt"):
        raise PhotoError("no photo")


def test_a_name_as_long_as_there_can_be(tmp_path):
    with atomic_path(tmp_path / ("a" * 251 + ".txt")) as temporary:
        temporary.write_text("whole")
    assert len(names(tmp_path)) == 1


def test_a_changed_value_is_told_from_a_changed_layout(tmp_path):
    path = tmp_path / "c.json"
    write_json(path, {"format_version": 1, "rating": 4})
    content = json.loads(path.read_text())
    path.write_text(json.dumps(dict(sorted(content.items())), indent=7))
    assert read_config(tmp_path, "c.json") == {"format_version": 1, "rating": 4}
    path.write_text(json.dumps(content | {"rating": 5}))
    with pytest.raises(FormatError, match=r"c\.json is damaged: its content hash is .*expected"):
        read_config(tmp_path, "c.json")
    path.write_text(json.dumps(content | {"json_sha256": None}))
    with pytest.raises(FormatError, match="damaged"):
        read_config(tmp_path, "c.json")


def test_tensors_are_hashed_with_their_dtype_shape_and_what_is_said_of_them(tmp_path):
    path, x = tmp_path / "t.safetensors", torch.arange(6.0)
    told = {write_hashed(path, {"x": x}, {"a": 1})}
    told |= {write_hashed(path, {"x": x.double()}, {"a": 1}), write_hashed(path, {"y": x})}
    told |= {write_hashed(path, {"x": x.reshape(2, 3)}), write_hashed(path, {"x": x})}
    assert len(told) == 5
    assert read_hashed(path).sha256 in told
    with pytest.raises(FormatError, match=r"t\.safetensors is damaged.*expected 000"):
        read_hashed(path).check("0" * 64)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(FormatError, match=r"t\.safetensors is damaged"):
        read_hashed(path)


def test_older_files_load_with_a_note(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    (tmp_path / "one").mkdir()
    (tmp_path / "one/c.json").write_text('{"format_version": 1, "name": "x"}')
    assert read_config(tmp_path / "one", "c.json")["name"] == "x"
    write_tensors(tmp_path / "t.safetensors", {"x": torch.zeros(2)})
    read_hashed(tmp_path / "t.safetensors").check()
    assert [record.getMessage().split(" was")[0] for record in caplog.records] == [
        str(tmp_path / "one/c.json"),
        str(tmp_path / "t.safetensors"),
    ]
    assert "older version" in caplog.text


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_kill_at_any_moment_leaves_the_old_or_the_new(tmp_path):
    worker = Path(__file__).with_name("killed_worker.py")
    done = subprocess.run(
        [sys.executable, worker, tmp_path],
        capture_output=True,
        text=True,
        timeout=280,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    moments, left = map(int, done.stdout.split()[-2:])
    assert moments >= 100
    assert left >= 5  # or the moments were not in the middle of anything
