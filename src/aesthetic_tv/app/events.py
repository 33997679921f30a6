"""Which event of the page calls which handler."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from aesthetic_tv.app import words
from aesthetic_tv.app.page import Page
from aesthetic_tv.app.rating import Rating
from aesthetic_tv.app.settings import AppSettings
from aesthetic_tv.app.tabs import Tabs
from aesthetic_tv.app.visits import Visits

# Answers go past the queue: they take milliseconds, and nobody shall wait behind a polish.
AT_ONCE: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
REPLIED = "() => { window.aestheticTVReplied = true; window.aestheticTV?.replied(); }"
# Passes through the tower go one at a time.
IN_TURN: dict[str, Any] = {
    "concurrency_limit": 1,
    "concurrency_id": "tower",
    "api_visibility": "private",
}


def connect(blocks: gr.Blocks, page: Page, visits: Visits, rating: Rating, tabs: Tabs) -> None:
    """Attach all handlers, inside the open `blocks`."""
    _connect_rating(blocks, page, visits, rating)
    _connect_tabs(page, rating, tabs)
    _connect_sharing(page, tabs, visits.settings)


def _connect_rating(blocks: gr.Blocks, page: Page, visits: Visits, rating: Rating) -> None:
    outputs = rating.outputs
    answer = [page.visit, page.shown, page.mode, page.order]
    blocks.load(
        rating.enter,
        [page.kept, page.kept_before],
        [page.visit, page.timer, page.album, page.scope, *outputs],
        **AT_ONCE,
    ).then(None, js=REPLIED)

    def leave(request: gr.Request) -> None:
        visits.leave(request.session_hash or "")

    blocks.unload(leave)
    _on_answer([star.click for star in page.stars], rating.rate, answer, outputs)
    chosen = [page.left_better.click, page.right_better.click]
    _on_answer(chosen, rating.choose, answer, outputs)
    _on_answer([page.skip.click], rating.skip, answer, outputs)
    _on_answer([page.undo.click], rating.undo, [page.visit, page.mode, page.order], outputs)
    _on(
        [page.mode.input],
        rating.change_mode,
        [page.visit, page.mode, page.order],
        [page.stars_view, page.pair_view, *outputs],
    )
    _on([page.order.input], rating.lists, [page.visit, page.order], outputs)
    for name, gallery in (("mine", page.mine), ("generic", page.generic)):
        _on(
            [gallery.select],
            _selecting(rating, name),
            [page.visit],
            [page.stars_view, page.pair_view, page.mode, *outputs],
        )
    _on([page.timer.tick], rating.tick, answer, [page.timer, *outputs])


def _selecting(rating: Rating, gallery: str) -> Callable[..., Any]:
    def select(visit: Any, event: gr.SelectData) -> Any:
        return rating.select(visit, gallery, event)

    return select


def _connect_tabs(page: Page, rating: Rating, tabs: Tabs) -> None:
    outputs, now = rating.outputs, [page.mode, page.order]
    page.upload.upload(
        tabs.upload,
        [page.visit, page.upload, *now],
        [page.upload, page.uploaded, page.album, page.scope, page.timer, *outputs],
        concurrency_limit=4,
        api_visibility="private",
    )
    _on([page.scope.input], tabs.scope, [page.visit, page.scope, *now], outputs)
    page.better_tab.select(
        tabs.better, [page.visit], [page.figures, page.pictures], api_visibility="private"
    )
    page.why_tab.select(
        tabs.why, [page.visit], [page.weights, page.heat_map], api_visibility="private"
    )
    page.polish.click(
        tabs.polish,
        [page.visit, *now],
        [page.polished, *outputs],
        show_progress_on=[page.polished],
        **IN_TURN,
    )
    page.score_upload.upload(
        tabs.score,
        [page.visit, page.score_upload],
        [page.score_upload, page.scored_text, page.scored],
        show_progress_on=[page.scored_text],
        **IN_TURN,
    )


def _connect_sharing(page: Page, tabs: Tabs, settings: AppSettings) -> None:
    files = [page.files_text, page.files, page.make_taste]
    _on([page.keep_tab.select], tabs.files, [page.visit], files)
    page.make_taste.click(
        tabs.make_taste, [page.visit], files, show_progress_on=[page.files_text], **IN_TURN
    )
    page.load.upload(
        tabs.load,
        [page.visit, page.load, page.mode, page.order],
        [page.load, page.loaded, *files, *tabs.rating.outputs],
        api_visibility="private",
    )
    page.push.click(
        _pushing(tabs, settings.hub),
        [page.visit, page.repo, page.private],
        [page.pushed],
        **IN_TURN,
    )


def _pushing(tabs: Tabs, hub: bool) -> Callable[..., Any]:
    """Gradio passes what the parameters' annotations ask for, and the visitor's token only where
    visitors can log in.
    """

    def with_token(
        visit: Any,
        repo: str,
        private: bool,
        token: gr.OAuthToken | None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Any:
        return tabs.push(visit, repo, private, token and token.token, progress)

    def without(
        visit: Any,
        repo: str,
        private: bool,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Any:
        return tabs.push(visit, repo, private, None, progress)

    return with_token if hub else without


def _found(handler: Callable[..., Any], message: gr.Markdown) -> Callable[..., Any]:
    """The handler, where the server knows the visit; it does not after it was started anew."""

    @functools.wraps(handler)
    def guarded(visit: Any, *args: Any) -> Any:
        return {message: words.LOST} if visit is None else handler(visit, *args)

    return guarded


def _on(
    triggers: Sequence[Any],
    handler: Callable[..., Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    **more: Any,
) -> Any:
    message = next(part for part in outputs if isinstance(part, gr.Markdown))
    return gr.on(
        list(triggers), _found(handler, message), list(inputs), list(outputs), **AT_ONCE, **more
    )


def _on_answer(*event: Any) -> None:
    """The page sends one answer at a time (answers.js), and is told when it has the reply."""
    _on(*event, trigger_mode="multiple").then(None, js=REPLIED)
