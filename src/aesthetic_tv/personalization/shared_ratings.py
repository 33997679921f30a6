"""A person's ratings as a data set on the Hub: file names and ratings, no photos."""

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from huggingface_hub import CommitInfo, DatasetCardData
from typing_extensions import Unpack

from aesthetic_tv.errors import PreferenceError
from aesthetic_tv.hub.pushing import write_card
from aesthetic_tv.hub.rendering import TASK, render_card
from aesthetic_tv.hub.repos import RATINGS, PushSettings, push
from aesthetic_tv.personalization.preferences import Preferences, Ratings
from aesthetic_tv.personalization.ratings_file import bare_names, write_ratings


def push_preferences(
    ratings: Ratings,
    repo_id: str,
    *,
    scale: tuple[float, float] | None = None,
    **settings: Unpack[PushSettings],
) -> CommitInfo:
    """Push ratings and card as a data set, in one commit: file names, no photos, no paths.

    Args:
        ratings: rating of each photo, higher is better, as `Personalizer.fit` takes them; paths
            lose their folders, but for those that tell photos of one name apart.
        repo_id: `owner/name`.
        scale: lowest and highest rating there can be, for the card; those given when not said.
        **settings: `private`, `branch`, `tag`, `create_pr`, `token`, `keep_readme`,
            `parent_commit`, `commit_message`: as for `hub.repos.push`.

    Raises:
        PreferenceError: nothing can be learned from the ratings, or a photo has no path.
        HubError: see its subclasses; the repo is as it was.

    Example:
        >>> push_preferences({"a.jpg": 5, "b.jpg": 2}, "me/my-ratings")  # doctest: +SKIP
    """
    rated = Preferences.from_ratings(ratings, scale=scale).by_photo
    if rated is None:
        raise PreferenceError(
            "images in memory have no file name to share their ratings by; rate photos by their "
            "paths."
        )
    named = bare_names(rated)
    preferences = Preferences.from_ratings(named, scale=scale)
    defaults: dict[str, Any] = {"commit_message": "Upload preferences with aesthetic_tv"}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_ratings(folder / RATINGS, named)
        write_card(partial(preferences_card, preferences), folder, repo_id)
        return push(folder, repo_id, repo_type="dataset", **defaults | dict(settings))


def preferences_card(preferences: Preferences, folder: Path, repo_id: str) -> str:
    """The text of README.md."""
    data = DatasetCardData(
        task_categories=[TASK],
        tags=["image-aesthetics", "aesthetic-tv"],
        configs=[{"config_name": "default", "data_files": RATINGS}],
    )
    return render_card("preferences.md", data, repo_id, None, preferences=preferences)
