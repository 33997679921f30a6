"""What went wrong on the Hub, in words that name the repo, the revision and the way out."""

from collections.abc import Iterator
from contextlib import contextmanager

from httpx2 import HTTPError, ReadError, RemoteProtocolError
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    RevisionResolutionError,
)

from aesthetic_tv.errors import (
    AestheticTVError,
    HubAccessError,
    HubConflictError,
    HubError,
    HubNotFoundError,
    HubUnreachableError,
)

LOGIN = "Log in with `hf auth login`, or pass token=."
UNREACHABLE = (
    "Check the network (and HF_ENDPOINT, where it is set), or name a folder that is here already."
)


@contextmanager
def told_clearly(repo_id: str, revision: str | None, *, pushing: bool = False) -> Iterator[None]:
    """Turn every failure of the Hub's client inside the block into one error of ours.

    Args:
        repo_id: what was asked for.
        revision: and at which revision.
        pushing: whether the block writes to the repo; nothing of it has been kept when it fails.
    """
    try:
        yield
    except AestheticTVError:
        raise
    except (HTTPError, OSError, ValueError, RuntimeError, RevisionResolutionError) as error:
        place = repo_id if revision is None else f"{repo_id}@{revision}"
        kind, told = _explained(_cause(error), place, repo_id, pushing)
        # Without the client's traceback, whose texts are many lines of what is said in one here.
        raise kind(f"{told} Nothing was pushed." if pushing else told) from None


def _cause(error: Exception) -> BaseException:
    """The failure itself, where the client reports only that the cache could not help either, or
    that a file could not be uploaded.
    """
    wrapped = isinstance(error, LocalEntryNotFoundError | RevisionResolutionError | RuntimeError)
    return error.__cause__ if wrapped and error.__cause__ is not None else error


def _explained(
    error: BaseException, place: str, repo_id: str, pushing: bool
) -> tuple[type[HubError], str]:
    if isinstance(error, HFValidationError):
        return HubNotFoundError, f"{repo_id!r} is no Hub id; expected `owner/name`."
    if isinstance(error, GatedRepoError):
        return HubAccessError, (
            f"{place} is gated: ask for access on its page on the Hub, then log in. {LOGIN}"
        )
    if isinstance(error, RevisionNotFoundError):
        return HubNotFoundError, (
            f"{place}: the repo has no such revision. Name a branch, a tag or a commit that it "
            "has, or leave the revision out for the newest."
        )
    if isinstance(error, RepositoryNotFoundError):
        return HubNotFoundError, (
            f"{place} is not on the Hub, or it is private and this token may not see it. Check "
            f"the spelling. {LOGIN}"
        )
    if isinstance(error, HfHubHTTPError):
        return _refused(error, place, pushing)
    if isinstance(error, OfflineModeIsEnabled | LocalEntryNotFoundError):
        return HubUnreachableError, (
            f"{place} is not in the cache, and the network is turned off (HF_HUB_OFFLINE or "
            "local_files_only). Fetch it once with the network on."
        )
    if isinstance(error, RevisionResolutionError):
        return HubUnreachableError, (
            f"{place} is not in the cache under this name, and the network is turned off. Fetch "
            "it once with the network on, or name its 40-hex commit."
        )
    if isinstance(error, ReadError | RemoteProtocolError):
        return HubError, f"{place}: the connection to the Hub broke off. Try again."
    if isinstance(error, HTTPError):
        return HubUnreachableError, (
            f"{place}: the Hub cannot be reached ({type(error).__name__})"
            f"{'' if pushing else ', and it is not in the cache'}. {UNREACHABLE}"
        )
    if "Consistency check" in str(error):
        return HubError, f"{place}: a download was cut off, and nothing of it is kept. Try again."
    if "Invalid pointer path" in str(error):
        return HubError, f"{place} holds a file whose name leads out of its folder; refused."
    return HubError, f"{place}: {str(error).strip().splitlines()[0] if str(error) else error!r}."


def _refused(error: HfHubHTTPError, place: str, pushing: bool) -> tuple[type[HubError], str]:
    status = error.response.status_code
    if status == 401:
        return HubAccessError, f"{place}: the Hub does not know this token. {LOGIN}"
    if status == 403:
        right = "write to" if pushing else "read"
        return HubAccessError, f"{place}: this token may not {right} it. {LOGIN}"
    if status == 404:
        return HubNotFoundError, f"{place}: the Hub has no such file or repo. Check the spelling."
    if status in (409, 412):
        return HubConflictError, (
            f"{place} was changed by someone else meanwhile. Look at what is there now, then push "
            "again, or push to a branch of your own (branch=, create_pr=True)."
        )
    if status == 429:
        wait = error.response.headers.get("Retry-After")
        when = f"in {wait} s" if wait else "later"
        return HubError, f"{place}: too many requests to the Hub. Try again {when}. {LOGIN}"
    if status >= 500:
        return HubError, f"{place}: the Hub itself fails (status {status}). Try again later."
    return HubError, f"{place}: the Hub refused (status {status})."
