"""A person's own Space: the app, the package it runs on, and the bank it weighs."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import yaml
from huggingface_hub import CommitInfo, HfApi, RepoCard, SpaceCard
from huggingface_hub.errors import RepositoryNotFoundError

from aesthetic_tv.assets import DEFAULT_BANK, EMBEDDED, embedded_bank
from aesthetic_tv.errors import HubError, SettingError
from aesthetic_tv.hub.failures import told_clearly
from aesthetic_tv.hub.repos import CONFIGS, HUB_ID, Access, client, push, resolve
from aesthetic_tv.hub.shipped import PACKAGE, shipped
from aesthetic_tv.task_vectors.bank import CONFIG_NAME

TEMPLATE = "spaces"
APP = "personalize"
VARIABLE = "AESTHETIC_TV_BANK"
# Of the head of README.md: what the app does not run without, whoever else edits the page.
NEEDED = ("sdk", "sdk_version", "python_version", "app_file", "hf_oauth", "hf_oauth_scopes")


@dataclass(frozen=True)
class _There:
    """What a Space holds before a push: its commit, its page where it is ours, its variable."""

    commit: str | None = None
    readme: str | None = None
    bank: str | None = None


def push_space(
    repo_id: str,
    *,
    bank: str | None = None,
    private: bool | None = None,
    replace_readme: bool = False,
    token: str | bool | None = None,
) -> CommitInfo:
    """Make a Space with the app, or bring one up to date: files in one commit, then the bank.

    The package goes along as it is installed here, so that the Space runs what was tried here.
    What was edited in the Space's README.md stays, but for the part of its head that the app
    needs. When nothing differs, nothing is committed.

    Args:
        repo_id: `owner/name`.
        bank: Hub id of a bank, or `embedded:lite`; what the Space has when not given, and the
            embedded one for a new Space.
        private: for a Space that is made; the owner's default when not given.
        replace_readme: put the page that comes along in place of an edited one.
        token: of the user; the one that is logged in when not given.

    Returns:
        The client's `CommitInfo`; of the newest commit where nothing differed.

    Raises:
        SettingError: `bank` is a folder or otherwise nothing that a Space can load.
        FormatError: the bank's repo holds something else.
        HubError: see its subclasses; it says what was pushed.
    """
    if bank is not None:
        _check_bank(bank, token)
    api = client(token)
    with told_clearly(repo_id, None, pushing=True):
        before = _there(api, repo_id)
    bank = bank or before.bank
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "space"
        write_space(folder, bank, None if replace_readme else before.readme, before.bank)
        commit = push(
            folder,
            repo_id,
            private=private,
            token=token,
            commit_message="Upload the app with aesthetic_tv",
            keep_readme=False,  # what is to be kept of it is in the folder by now
            parent_commit=before.commit,
            repo_type="space",
            # Modules that are no more; a pattern that matches nothing of the Space's own.
            delete_patterns=["aesthetic_tv/*"],
        )
    if bank is not None and bank != before.bank:
        try:
            with told_clearly(repo_id, None, pushing=False):
                api.add_space_variable(repo_id, VARIABLE, bank)
        except HubError as error:
            raise type(error)(
                f"{error} The files are pushed, but {VARIABLE} is not set to {bank}: push again, "
                "or set it in the Space's settings."
            ) from None
    return commit


def write_space(
    folder: Path, bank: str | None, readme: str | None = None, old_bank: str | None = None
) -> None:
    """Write all files of a Space to a new folder.

    Args:
        folder: to make.
        bank: that the Space weighs; the embedded one when not given.
        readme: text of the page that is there, to be kept; the one that comes along when `None`.
        old_bank: that the page names so far.
    """
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
    shutil.copytree(shipped(TEMPLATE) / APP, folder, ignore=ignored)
    shutil.copytree(PACKAGE, folder / "aesthetic_tv", ignore=ignored)
    for name in ("hub_cards", TEMPLATE):  # beside the modules, as in the wheel
        target = folder / "aesthetic_tv" / name
        shutil.copytree(shipped(name), target, ignore=ignored, dirs_exist_ok=True)
    page = folder / "README.md"
    page.write_text(_page(page.read_text("utf-8"), bank, readme, old_bank), "utf-8")


def _page(ours: str, bank: str | None, theirs: str | None, old_bank: str | None) -> str:
    """README.md: theirs where there is one, with what the app needs in its head."""
    template = SpaceCard(ours)
    try:
        card = template if theirs is None else RepoCard(theirs, ignore_metadata_errors=True)
    except (ValueError, yaml.YAMLError):
        raise SettingError(
            "the Space's README.md has a head that cannot be read; mend it there, or replace the "
            "page (replace_readme=True, --replace-readme)."
        ) from None
    wanted = {name: template.data.get(name) for name in NEEDED}
    models = [name for name in card.data.get("models") or [] if name not in (old_bank, bank)]
    if bank is not None and not bank.startswith(EMBEDDED):
        models = [bank, *models]
    wanted["models"] = models or None
    if theirs is not None and all(card.data.get(name) == wanted[name] for name in wanted):
        return theirs  # to the byte: rendered anew it may be laid out otherwise
    for name, value in wanted.items():
        card.data[name] = value
    return str(card)


def _check_bank(bank: str, token: str | bool | None) -> None:
    """Before the push: whether the Space will find it."""
    if bank.startswith(EMBEDDED):
        embedded_bank(bank.removeprefix(EMBEDDED))
        return
    if not HUB_ID.fullmatch(bank) or Path(bank).is_dir():
        raise SettingError(
            f"{bank} is no bank that a Space can load; expected a Hub id (`owner/name`) or "
            f"{DEFAULT_BANK}. Push a folder first: `aesthetic-tv push {bank} OWNER/NAME`."
        )
    resolve(bank, access=Access(token=token), patterns=CONFIGS, marker=CONFIG_NAME)


def _there(api: HfApi, repo_id: str) -> _There:
    try:
        info = api.space_info(repo_id)
    except RepositoryNotFoundError:
        return _There()
    files = {file.rfilename for file in info.siblings or ()}
    readme = None
    # A new Space has a page of the Hub's own, which nobody wrote: ours is known by its app.
    if {"app.py", "README.md"} <= files:
        path = api.hf_hub_download(repo_id, "README.md", repo_type="space", revision=info.sha)
        readme = Path(path).read_text("utf-8")
    variable = api.get_space_variables(repo_id).get(VARIABLE)
    return _There(info.sha, readme, variable.value if variable else None)
