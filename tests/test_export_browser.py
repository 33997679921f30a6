"""The example page in a real browser: local photos ranked as Python ranks them, with no server."""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aesthetic_tv.export import ExportSettings, export_scorer
from browser import FLAGS, find_browser
from test_export import PACKAGES, make_personal_scorer, needed

sync_api = pytest.importorskip("playwright.sync_api")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

BUILD = Path(__file__).parents[1] / "examples" / "browser" / "build.py"
PATIENCE = 120_000  # milliseconds


def runtime() -> Path:
    """The folder `dist` of onnxruntime-web; what needs it is skipped without, as `make test` has it
    where npm is installed.
    """
    found = Path(os.environ.get("ONNXRUNTIME_WEB") or "node_modules/onnxruntime-web/dist")
    if not (found / "ort.wasm.bundle.min.mjs").is_file():
        pytest.skip("no onnxruntime-web: npm install it, and set ONNXRUNTIME_WEB to its dist/")
    return found


@pytest.fixture(scope="module")
def scorer():
    return make_personal_scorer()


@pytest.fixture(scope="module")
def page_file(scorer, tmp_path_factory) -> Path:
    for package in PACKAGES:
        needed(package)
    find_browser()
    folder, found = tmp_path_factory.mktemp("page"), runtime()
    export_scorer(scorer, folder / "mine.onnx")
    export_scorer(scorer, folder / "pixels.onnx", ExportSettings(takes="pixels"))
    spec = importlib.util.spec_from_file_location("build", BUILD)
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    (folder / "mine.html").write_text(build.build(found, folder / "mine.onnx"), "utf-8")
    (folder / "any.html").write_text(build.build(found), "utf-8")
    return folder / "mine.html"


@pytest.fixture
def page(page_file):
    """A new page, on which no script failed and that asked nobody for anything."""
    wrong = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        opened = browser.new_page()
        opened.set_default_timeout(PATIENCE)
        opened.on("pageerror", lambda error: wrong.append(str(error)))
        opened.on("console", lambda told: wrong.append(told.text) if told.type == "error" else None)
        local = ("file:", "blob:", "data:")
        opened.on("request", lambda x: None if x.url.startswith(local) else wrong.append(x.url))
        yield opened
        browser.close()
    assert wrong == []


@pytest.fixture(scope="module")
def album(tmp_path_factory) -> list[Path]:
    """Photos without loss, two JPEG that are turned, and one that is none."""
    folder = tmp_path_factory.mktemp("album")
    random = np.random.default_rng(0)
    for number in range(10):
        size = [(120, 90), (64, 200), (300, 300), (33, 21)][number % 4]
        coarse = Image.fromarray(random.integers(0, 256, (5, 7, 3), dtype=np.uint8)).resize(size)
        if number < 8:
            coarse.save(folder / f"p{number}.png")
        else:
            turned = Image.Exif()
            turned[0x0112] = number - 2
            coarse.save(folder / f"p{number}.jpg", quality=95, exif=turned, subsampling=0)
    (folder / "p<b>none.png").write_text("no picture")
    return sorted(folder.iterdir())


def ranking(page) -> dict[str, float]:
    items = page.query_selector_all("#ranking li")
    return {x.get_attribute("data-name"): float(x.get_attribute("data-score")) for x in items}


def test_the_page_ranks_local_photos_as_python_does(page, page_file, scorer, album):
    page.goto(page_file.as_uri())
    page.wait_for_selector("#photos:not([disabled])")
    assert not page.is_visible("#taste-file")
    page.set_input_files("#photos", album)
    page.wait_for_selector("#save:not([hidden])")
    found, readable = ranking(page), [path for path in album if "none" not in path.name]
    right = dict(zip((path.name for path in readable), scorer.score(readable), strict=True))
    assert list(found) == sorted(right, key=lambda name: -right[name])
    for name, score in right.items():
        assert found[name] == pytest.approx(score, abs=2e-3 if name.endswith("png") else 0.02)
    assert page.inner_text("#skipped").startswith("p<b>none.png: ")
    assert "1 could not be read" in page.inner_text("#status")
    with page.expect_download() as download:
        page.click("#table")
    rows = Path(download.value.path()).read_text().splitlines()
    assert [row.split(",")[2].strip('"') for row in rows[1:]] == list(found)


def test_the_page_takes_a_taste_and_refuses_what_is_none(page, page_file, scorer, album, tmp_path):
    page.goto(page_file.with_name("any.html").as_uri())
    page.wait_for_selector("text=Choose a taste.")
    (tmp_path / "cut.onnx").write_bytes(page_file.with_name("mine.onnx").read_bytes()[:3000])
    for file, told in (
        (tmp_path / "cut.onnx", "cut off"),
        (page_file.with_name("pixels.onnx"), "export it with --takes photos"),
        (page_file, "This taste cannot be used"),
    ):
        page.set_input_files("#taste-file", file)
        page.wait_for_selector(f"#status:has-text('{told}')")
        assert page.is_disabled("#photos")
    page.set_input_files("#taste-file", page_file.with_name("mine.onnx"))
    page.wait_for_selector("#photos:not([disabled])")
    page.set_input_files("#photos", album[:2])
    page.wait_for_selector("#save:not([hidden])")
    right = dict(zip((path.name for path in album[:2]), scorer.score(album[:2]), strict=True))
    assert ranking(page) == pytest.approx(right, abs=2e-3)


def test_nothing_can_leave_the_page(page_file, chromium_context):
    chromium_context.goto(page_file.as_uri())
    chromium_context.wait_for_selector("#photos:not([disabled])")
    asked = "fetch('http://127.0.0.1:9/').then(() => 'sent', error => error.message)"
    assert chromium_context.evaluate(asked) == "Failed to fetch"
    policy = "document.querySelector('meta[http-equiv]').content"
    assert "default-src 'none'" in chromium_context.evaluate(policy)
    assert "connect-src" not in chromium_context.evaluate(policy)


@pytest.fixture
def chromium_context(page_file):
    """A page whose errors are expected."""
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        opened = browser.new_page()
        opened.set_default_timeout(PATIENCE)
        yield opened
        browser.close()
