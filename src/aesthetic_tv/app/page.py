"""The components of the page, and where they stand."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from aesthetic_tv.app import words
from aesthetic_tv.app.settings import AppSettings
from aesthetic_tv.app.visits import STORAGE

STARS, PAIRS = "Stars", "Better of two"
BEST, WORST = "Best first", "Worst first"
ALL, OWN = "All photos", "Only mine"


@dataclass(eq=False)
class Page:
    """All components that handlers read or write."""

    visit: gr.State
    kept: gr.BrowserState
    kept_before: gr.BrowserState
    shown: gr.Textbox
    timer: gr.Timer
    mode: gr.Radio
    photo: gr.Image
    stars: list[gr.Button]
    stars_view: gr.Column
    pair_view: gr.Column
    left: gr.Image
    right: gr.Image
    left_better: gr.Button
    right_better: gr.Button
    undo: gr.Button
    skip: gr.Button
    asking: gr.Markdown
    standing: gr.Markdown
    looking: gr.Markdown
    order: gr.Radio
    mine: gr.Gallery
    generic: gr.Gallery
    album: gr.Markdown
    scope: gr.Radio
    upload: gr.File
    uploaded: gr.Markdown
    better_tab: gr.Tab
    figures: gr.Markdown
    pictures: gr.Gallery
    why_tab: gr.Tab
    weights: gr.Markdown
    heat_map: gr.Image
    polish: gr.Button
    polished: gr.Markdown
    score_upload: gr.File
    scored_text: gr.Markdown
    scored: gr.Gallery
    keep_tab: gr.Tab
    make_taste: gr.Button
    files_text: gr.Markdown
    files: gr.File
    load: gr.File
    loaded: gr.Markdown
    login: gr.LoginButton | None
    repo: gr.Textbox
    private: gr.Checkbox
    push: gr.Button
    pushed: gr.Markdown


def lay_out(
    settings: AppSettings, on_delete: Callable[[Any], None], storage_key: str = STORAGE
) -> Page:
    """Make the components, inside an open `gr.Blocks`.

    Args:
        settings: of the app.
        on_delete: called with a visit when the server forgets it.
        storage_key: what the browser keeps the answers under, another for each album.
    """
    parts: dict[str, Any] = {
        "visit": gr.State(None, delete_callback=on_delete),
        # The secret hides nothing, the page has it too; it is fixed so that an app that was started
        # again finds what a browser has kept.
        "kept": gr.BrowserState({}, storage_key=storage_key, secret=STORAGE),
        # Where earlier versions kept the answers, whatever the album; read alone.
        "kept_before": gr.BrowserState({}, storage_key=STORAGE, secret=STORAGE),
        "shown": gr.Textbox(visible=False),
        "timer": gr.Timer(1.0, active=False),
    }
    gr.Markdown(words.introduction(settings.bank), elem_id="introduction")
    with gr.Tabs():
        with gr.Tab("Rate"):
            parts |= _rate_tab()
        with gr.Tab("Photos"):
            parts |= _photos_tab(settings)
        with gr.Tab("Is it better?") as parts["better_tab"]:
            parts |= _better_tab()
        with gr.Tab("Why") as parts["why_tab"]:
            parts |= _why_tab()
        with gr.Tab("Score new photos"):
            parts |= _score_tab(settings)
        with gr.Tab("Keep and share") as parts["keep_tab"]:
            parts |= _keep_tab(settings)
    return Page(**parts)


def _picture(elem_id: str, **options: Any) -> gr.Image:
    return gr.Image(
        interactive=False, show_label=False, container=False, buttons=[], elem_id=elem_id, **options
    )


def _gallery(elem_id: str, **options: Any) -> gr.Gallery:
    return gr.Gallery(
        show_label=False,
        interactive=False,
        buttons=[],
        object_fit="cover",
        elem_id=elem_id,
        elem_classes="album",
        **options,
    )


def _rate_tab() -> dict[str, Any]:
    parts: dict[str, Any] = {}
    with gr.Row():
        with gr.Column(scale=5, min_width=320, elem_id="rating"):
            parts["mode"] = gr.Radio(
                [STARS, PAIRS], value=STARS, show_label=False, container=False, elem_id="mode"
            )
            with gr.Column(elem_id="one") as parts["stars_view"]:
                parts["photo"] = _picture("photo")
                with gr.Row(elem_classes="tight"):
                    parts["stars"] = [
                        gr.Button(f"{n} ★", elem_id=f"star-{n}", min_width=40, variant="primary")
                        for n in range(1, 6)
                    ]
            parts["pair_view"] = gr.Column(visible=False, elem_id="two")
            with parts["pair_view"], gr.Row(elem_classes="tight"):
                parts |= _side("left", "← Left is better")
                parts |= _side("right", "Right is better →")
            parts["asking"] = gr.Markdown(elem_id="asking")
            with gr.Row(elem_classes="tight"):
                parts["undo"] = gr.Button("Undo", elem_id="undo", size="sm", min_width=60)
                parts["skip"] = gr.Button("Skip", elem_id="skip", size="sm", min_width=60)
            gr.Markdown(words.KEYS, elem_id="keys")
        with gr.Column(scale=7, min_width=320):
            parts["standing"] = gr.Markdown(elem_id="standing")
            parts["looking"] = gr.Markdown(elem_id="looking")
            with gr.Row(elem_classes="tight"):
                for name, title in (("mine", "Your order"), ("generic", "One taste for all")):
                    with gr.Column(min_width=150):
                        gr.Markdown(f"**{title}**", elem_classes="heading")
                        parts[name] = _gallery(name, allow_preview=False)
            parts["order"] = gr.Radio(
                [BEST, WORST], value=BEST, show_label=False, container=False, elem_id="order"
            )
            gr.Markdown(
                "▲ ▼ places gained or lost against one taste for all; *sure*: the chance that the "
                "photo belongs in the half where it stands. Choose a photo to rate it.",
                elem_id="legend",
            )
    return parts


def _side(side: str, text: str) -> dict[str, Any]:
    """One of the two photos that are compared, and its button."""
    with gr.Column(min_width=120):
        photo = _picture(side)
        button = gr.Button(text, elem_id=f"choose-{side}", variant="primary", min_width=100)
    return {side: photo, f"{side}_better": button}


def _photos_tab(settings: AppSettings) -> dict[str, Any]:
    parts: dict[str, Any] = {"album": gr.Markdown(elem_id="album")}
    uploads = settings.uploads and settings.album is None
    with gr.Column(visible=uploads):
        gr.Markdown(
            f"Add your own photos. {settings.limits} They stay in a temporary folder of your "
            "visit, nobody else can see them, and they are deleted when you leave."
        )
        parts["upload"] = gr.File(
            label="Your photos", file_count="multiple", height=160, elem_id="upload"
        )
        parts["uploaded"] = gr.Markdown(elem_id="uploaded")
    parts["scope"] = gr.Radio(
        [ALL, OWN],
        value=ALL,
        label="Ask about and rank",
        info="What you say of any photo counts for both.",
        visible=False,
        elem_id="scope",
    )
    return parts


def _better_tab() -> dict[str, Any]:
    return {
        "figures": gr.Markdown(elem_id="figures"),
        "pictures": gr.Gallery(
            show_label=False,
            columns=2,
            object_fit="contain",
            interactive=False,
            height="auto",
            elem_id="pictures",
            buttons=["download", "fullscreen"],
        ),
    }


def _why_tab() -> dict[str, Any]:
    return {
        "weights": gr.Markdown(elem_id="weights"),
        "heat_map": gr.Image(
            show_label=False,
            interactive=False,
            visible=False,
            buttons=["download", "fullscreen"],
            elem_id="heat-map",
        ),
    }


def _score_tab(settings: AppSettings) -> dict[str, Any]:
    gr.Markdown(
        "**Polish** goes from the quick estimate to your exact scorer, in a few passes over the "
        "photos you rated; then the album is put in its exact order."
    )
    parts: dict[str, Any] = {
        "polish": gr.Button("Polish", variant="primary", elem_id="polish"),
        "polished": gr.Markdown(elem_id="polished"),
    }
    gr.Markdown(f"**Score photos that you did not rate.** {settings.limits}")
    parts["score_upload"] = gr.File(
        label="Photos to score", file_count="multiple", height=160, elem_id="score-upload"
    )
    parts["scored_text"] = gr.Markdown(elem_id="scored-text")
    parts["scored"] = _gallery("scored", visible=False)
    return parts


def _keep_tab(settings: AppSettings) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    with gr.Row():
        with gr.Column(min_width=320):
            gr.Markdown("### Take it home")
            parts["files_text"] = gr.Markdown(elem_id="files-text")
            parts["make_taste"] = gr.Button("Make my-taste.zip", elem_id="make-taste")
            parts["files"] = gr.File(
                label="Your files",
                file_count="multiple",
                interactive=False,
                visible=False,
                elem_id="files",
            )
            gr.Markdown("### Continue")
            parts["load"] = gr.File(
                label="ratings.csv (and comparisons.csv) from before",
                file_count="multiple",
                height=150,
                elem_id="load",
            )
            parts["loaded"] = gr.Markdown(elem_id="loaded")
        with gr.Column(min_width=320):
            gr.Markdown(
                "### Push to the Hugging Face Hub\n"
                "A few kilobytes: weights and figures. No photos, no ratings."
            )
            parts["login"] = gr.LoginButton() if settings.hub else None
            parts["repo"] = gr.Textbox(
                label="Name", placeholder="your-name/my-taste", elem_id="repo", max_lines=1
            )
            parts["private"] = gr.Checkbox(True, label="Private", elem_id="private")
            parts["push"] = gr.Button("Push", variant="primary", elem_id="push")
            parts["pushed"] = gr.Markdown(elem_id="pushed")
    return parts
