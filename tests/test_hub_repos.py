"""Fetching and pushing with the real client: every failure is one clear error, nothing is half."""

import os
import time
from pathlib import Path

import pytest

from aesthetic_tv.errors import (
    FormatError,
    HubAccessError,
    HubConflictError,
    HubError,
    HubNotFoundError,
    HubUnreachableError,
    SettingError,
)
from aesthetic_tv.hub.repos import Access, push, resolve
from conftest import ALICE, BOB
from hub_server import HubServer, RefusedError

REPO = "alice/thing"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "thing"
    path.mkdir()
    (path / "config.json").write_text('{"a": 1}')
    (path / "data.safetensors").write_bytes(os.urandom(5000))
    (path / "README.md").write_text("mine")
    return path


@pytest.fixture
def pushed(hub: HubServer, folder: Path) -> str:
    return push(folder, REPO, token=ALICE).oid


@pytest.fixture
def cache(tmp_path: Path) -> Access:
    return Access(cache_dir=tmp_path / "cache")


def kept(access: Access) -> list[Path]:
    """Whole files in a cache that a later load would take."""
    return [path for path in Path(access.cache_dir).glob("*/snapshots/*/*") if path.exists()]


def test_a_local_folder_wins_and_needs_no_hub(hub, folder):
    snapshot = resolve(folder, revision="whatever")
    assert (snapshot.folder, snapshot.repo_id, snapshot.revision) == (folder, None, None)
    assert hub.log == []


def test_a_branch_is_resolved_once_to_a_commit(hub, folder, pushed, cache):
    snapshot = resolve(REPO, access=cache)
    assert (snapshot.repo_id, snapshot.revision) == (REPO, pushed)
    assert (snapshot.folder / "config.json").read_text() == '{"a": 1}'
    assert not (snapshot.folder / "README.md").exists()
    hub.model(REPO).edit(config__json=b"changed")
    hub.log.clear()
    again = resolve(REPO, revision=pushed, access=cache)
    assert again.folder == snapshot.folder and hub.log == []


def test_what_is_in_the_cache_is_found_without_a_network(pushed, cache, monkeypatch):
    expected = resolve(REPO, access=cache)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    assert resolve(REPO, access=cache) == expected
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert resolve(REPO, access=cache) == expected
    only = Access(cache.cache_dir, local_files_only=True)
    assert resolve(REPO, access=only) == resolve(REPO, revision=pushed, access=only) == expected


@pytest.mark.parametrize("pinned", [False, True])
def test_no_network_and_no_cache_is_told_at_once(pushed, cache, monkeypatch, pinned):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    start = time.perf_counter()
    with pytest.raises(HubUnreachableError, match=r"alice/thing.*Check the network"):
        resolve(REPO, revision=pushed if pinned else None, access=cache)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize("revision", [None, "main", "0" * 40])
def test_offline_and_not_in_the_cache(pushed, cache, revision):
    with pytest.raises(HubUnreachableError, match="not in the cache"):
        resolve(REPO, revision=revision, access=Access(cache.cache_dir, local_files_only=True))


@pytest.mark.parametrize("name", ["nowhere", "/no/such/folder", "../alice/thing", "a b/c", "a/b/c"])
def test_a_name_that_cannot_be_on_the_hub_is_never_asked_for(hub, name):
    with pytest.raises(FormatError, match="no folder here and no Hub id"):
        resolve(name)
    assert hub.log == []


@pytest.mark.parametrize("token", [None, ALICE])
def test_a_repo_id_that_is_a_typo(pushed, cache, token):
    with pytest.raises(HubNotFoundError, match=r"alice/thinf .*Check the spelling"):
        resolve("alice/thinf", access=Access(cache.cache_dir, token))


@pytest.mark.parametrize("revision", ["v9", "0" * 40])
def test_a_missing_revision(pushed, cache, revision):
    with pytest.raises(HubNotFoundError, match=rf"alice/thing@{revision}.*no such revision"):
        resolve(REPO, revision=revision, access=cache)


def test_a_private_repo_is_seen_by_its_owner_only(hub, folder, cache):
    push(folder, REPO, token=ALICE, private=True)
    for token in (None, BOB):
        with pytest.raises(HubNotFoundError, match=r"or it is private.*hf auth login"):
            resolve(REPO, access=Access(cache.cache_dir, token))
    assert resolve(REPO, access=Access(cache.cache_dir, ALICE)).repo_id == REPO


def test_a_gated_repo(hub, pushed, cache):
    hub.model(REPO).gated = True
    with pytest.raises(HubAccessError, match=r"alice/thing is gated.*ask for access"):
        resolve(REPO, access=cache)


def test_a_token_that_nobody_has(pushed, cache):
    with pytest.raises(HubAccessError, match="does not know this token"):
        resolve(REPO, access=Access(cache.cache_dir, "hf_wrong_secret"))


REFUSALS = [
    (RefusedError(401), HubAccessError, "hf auth login"),
    (RefusedError(403), HubAccessError, "may not read it"),
    (RefusedError(403, "GatedRepo"), HubAccessError, "gated"),
    (RefusedError(404, "RepoNotFound"), HubNotFoundError, "Check the spelling"),
    (RefusedError(404, "RevisionNotFound"), HubNotFoundError, "no such revision"),
    (RefusedError(404, "EntryNotFound"), HubNotFoundError, "no such file or repo"),
    (RefusedError(404), HubNotFoundError, "no such file or repo"),
    (RefusedError(429, Retry_After="7"), HubError, "Try again in 7 s"),
    (RefusedError(429), HubError, "Try again later"),
    (RefusedError(500), HubError, "status 500"),
]


@pytest.mark.parametrize(("refusal", "error", "message"), REFUSALS)
def test_each_refusal_names_the_repo_and_a_way_out(hub, pushed, cache, refusal, error, message):
    hub.fault("GET /api/models", refusal)
    with pytest.raises(error, match=rf"(?s)^alice/thing.*{message}"):
        resolve(REPO, access=cache)
    assert kept(cache) == []


def test_a_busy_hub_is_asked_again_as_it_says(hub, pushed, cache):
    hub.fault("HEAD ", RefusedError(429, Retry_After="0"), times=1)
    assert resolve(REPO, access=cache).revision == pushed


@pytest.mark.parametrize(
    ("fault", "message"), [("truncate", "cut off"), ("flip", "data.safetensors arrived damaged")]
)
def test_a_damaged_download_is_refused_and_not_kept(hub, pushed, cache, folder, fault, message):
    hub.fault("GET /_lfs", fault)
    with pytest.raises(HubError, match=rf"alice/thing@{pushed}.*{message}.*Try again"):
        resolve(REPO, access=cache)
    assert [path.name for path in kept(cache) if path.suffix != ".json"] == []
    hub.faults.clear()
    whole = resolve(REPO, access=cache).folder / "data.safetensors"
    assert whole.read_bytes() == (folder / "data.safetensors").read_bytes()


def test_a_damaged_config_is_refused_too(hub, pushed, cache):
    hub.fault("GET /alice/thing/resolve", "flip")
    with pytest.raises(HubError, match=r"config\.json arrived damaged"):
        resolve(REPO, access=cache)


def test_a_connection_dropped_in_mid_body_is_taken_up_again(hub, pushed, cache, folder):
    hub.fault("GET /_lfs", "drop", times=1)
    whole = resolve(REPO, access=cache).folder / "data.safetensors"
    assert whole.read_bytes() == (folder / "data.safetensors").read_bytes()


def test_a_connection_that_keeps_dropping(hub, pushed, cache, monkeypatch):
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None)
    hub.fault("GET /_lfs", "drop")
    with pytest.raises(HubError, match=r"alice/thing@.* broke off. Try again"):
        resolve(REPO, access=cache)
    assert [path.name for path in kept(cache) if path.suffix != ".json"] == []


def test_a_wrong_etag_never_gives_another_files_content(hub, folder, cache):
    (folder / "other.safetensors").write_bytes(os.urandom(5000))
    push(folder, REPO, token=ALICE)
    hub.fault("HEAD .*safetensors", "etag")  # all with one ETag, as if they were one file
    try:
        fetched = resolve(REPO, access=cache).folder
    except HubError as error:
        assert "arrived damaged" in str(error)
    else:
        for name in ("data.safetensors", "other.safetensors"):
            assert (fetched / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize("name", ["../evil.json", "/tmp/evil.json", "a/../../evil.json"])
def test_file_names_of_a_repo_cannot_leave_its_folder(hub, pushed, cache, name):
    repo = hub.model(REPO)
    repo.branches["main"] = repo.commit(repo.files() | {name: b"{}"})
    before = set(Path(cache.cache_dir).parent.rglob("*"))
    with pytest.raises(HubError):
        resolve(REPO, access=cache)
    stray = set(Path(cache.cache_dir).parent.rglob("evil.json")) - before
    assert all(Path(cache.cache_dir) / "models--alice--thing" in path.parents for path in stray)
    assert not Path("/tmp/evil.json").exists()


def test_a_marker_is_looked_for_before_anything_large_is_fetched(hub, pushed, cache):
    with pytest.raises(FormatError, match=r"alice/thing@.* holds no bank_config.json.*config.json"):
        resolve(REPO, access=cache, marker="bank_config.json")
    assert not any("safetensors" in line for line in hub.log if line.startswith(("GET", "HEAD")))


# Pushing


def test_a_push_is_one_commit(hub, folder):
    commit = push(folder, REPO, token=ALICE)
    repo = hub.model(REPO)
    assert repo.history[1:] == [commit.oid] and not repo.private
    assert {*repo.files()} == {".gitattributes", "config.json", "data.safetensors", "README.md"}


def test_a_name_alone_is_the_tokens_own(hub, folder):
    push(folder, "thing", token=ALICE)
    assert ("model", REPO) in hub.repos


def test_branch_tag_and_pull_request(hub, folder, pushed):
    (folder / "config.json").write_text("2")
    commit = push(folder, REPO, token=ALICE, branch="next/try", tag="v1")
    (folder / "config.json").write_text("3")
    proposed = push(folder, REPO, token=ALICE, create_pr=True)
    repo = hub.model(REPO)
    assert repo.branches == {"main": pushed, "next/try": commit.oid}
    assert repo.tags == {"v1": commit.oid}
    assert repo.pull_requests == {"refs/pr/1": proposed.oid} and "discussions/1" in proposed.pr_url
    with pytest.raises(SettingError, match="not both"):
        push(folder, REPO, token=ALICE, tag="v2", create_pr=True)


def test_an_existing_readme_is_kept_unless_asked(hub, folder, pushed):
    (folder / "README.md").write_text("newer")
    (folder / "config.json").write_text("2")
    push(folder, REPO, token=ALICE)
    assert hub.model(REPO).files()["README.md"] == b"mine"
    assert hub.model(REPO).files()["config.json"] == b"2"
    push(folder, REPO, token=ALICE, keep_readme=False)
    assert hub.model(REPO).files()["README.md"] == b"newer"


def unchanged_after(hub: HubServer, error: type[Exception], message: str, push_again) -> None:
    before = dict(hub.model(REPO).branches), dict(hub.model(REPO).tags)
    with pytest.raises(error, match=rf"(?s)alice/thing.*{message}"):
        push_again()
    assert (hub.model(REPO).branches, hub.model(REPO).tags) == before


def test_a_push_to_a_repo_that_changed_meanwhile_is_refused(hub, folder, pushed):
    hub.model(REPO).edit(config__json=b"by someone else")
    (folder / "config.json").write_text("2")
    unchanged_after(
        hub,
        HubConflictError,
        "changed by someone else meanwhile.*Nothing was pushed",
        lambda: push(folder, REPO, token=ALICE, parent_commit=pushed),
    )


@pytest.mark.parametrize("status", [409, 412])
def test_a_change_while_the_push_is_under_way_is_refused(hub, folder, pushed, status):
    (folder / "config.json").write_text("2")
    hub.fault("POST .*/commit/", RefusedError(status))
    again = lambda: push(folder, REPO, token=ALICE)  # noqa: E731
    unchanged_after(hub, HubConflictError, "Nothing was pushed", again)


def test_a_tag_that_is_taken_is_refused_before_anything_is_pushed(hub, folder):
    push(folder, REPO, token=ALICE, tag="v1")
    (folder / "config.json").write_text("2")
    again = lambda: push(folder, REPO, token=ALICE, tag="v1")  # noqa: E731
    unchanged_after(hub, HubConflictError, "has a tag v1 already", again)


@pytest.mark.parametrize(
    ("token", "message"), [(BOB, "may not write to it"), (False, "hf auth login")]
)
def test_a_push_without_the_right_to(hub, folder, pushed, token, message):
    (folder / "config.json").write_text("2")
    again = lambda: push(folder, REPO, token=token)  # noqa: E731
    unchanged_after(hub, HubAccessError, f"{message}.*Nothing was pushed", again)


@pytest.mark.parametrize("point", ["preupload", "objects/batch", "PUT /_lfs", "/commit/"])
def test_a_hub_that_fails_in_mid_push_leaves_the_branch_as_it_was(
    hub, folder, pushed, point, monkeypatch
):
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    (folder / "data.safetensors").write_bytes(os.urandom(5000))
    hub.fault(point, RefusedError(500))
    again = lambda: push(folder, REPO, token=ALICE)  # noqa: E731
    unchanged_after(hub, HubError, "status 500.*Nothing was pushed", again)


def test_tokens_are_never_shown(hub, folder, cache, capfd):
    wrong = "hf_wrong_secret"
    for work in (
        lambda: push(folder, REPO, token=wrong),
        lambda: resolve(REPO, access=Access(cache.cache_dir, wrong)),
    ):
        with pytest.raises(HubError) as caught:
            work()
        assert wrong not in repr(caught.value) + str(caught.value.__context__)
    push(folder, REPO, token=ALICE)
    access = Access(cache.cache_dir, ALICE)
    resolve(REPO, access=access)
    shown = repr(access) + "".join(capfd.readouterr())
    assert "secret" not in shown
    written = [path for path in Path(cache.cache_dir).rglob("*") if path.is_file()]
    assert not any(b"secret" in path.read_bytes() for path in written)
