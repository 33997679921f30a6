"""A scorer leaves torch: the same stars in onnxruntime and OpenVINO, or nothing is written."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from aesthetic_tv.cli import app
from aesthetic_tv.errors import ExportError, OutputError, PhotoError, ScorerError, SettingError
from aesthetic_tv.export import ExportSettings, export_scorer, write_runner
from aesthetic_tv.export.exporting import _exact
from aesthetic_tv.export.graph import PhotoPixels, PiecewiseLinear, ScoreGraph
from aesthetic_tv.runner import Description, ExportedScorer
from aesthetic_tv.runner.__main__ import main as run
from aesthetic_tv.scorer import image_processor
from aesthetic_tv.scorer.images import pixel_values
from conftest import make_scorer

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3}


def needed(package: str, optional: bool = False):
    """A package that this needs; a failure, and no skip, where CI is set."""
    if os.environ.get("CI") == "true" and not optional:
        return __import__(package)
    return pytest.importorskip(package, reason=f"{package} is not installed")


def make_personal_scorer():
    """One with a person's own scale, over more scores than photos here have."""
    made = make_scorer()
    made.config.calibration_scores = [4.0, 4.6, 5.5]
    made.config.calibration_ratings = [1.0, 4.0, 5.0]
    return made


@pytest.fixture(scope="module")
def scorer():
    return make_personal_scorer()


@pytest.fixture(scope="module")
def album(tmp_path_factory) -> Path:
    """Photos of all shapes: wide, tall, small, a strip, turned by EXIF, with transparency."""
    folder = tmp_path_factory.mktemp("album")
    random = np.random.default_rng(0)
    for name, size in {
        "wide.jpg": (300, 120),
        "tall.png": (90, 201),
        "small.png": (11, 9),
        "strip.png": (700, 20),
        "square.jpg": (64, 64),
    }.items():
        coarse = Image.fromarray(random.integers(0, 256, (5, 7, 3), dtype=np.uint8))
        coarse.resize(size).save(folder / name)
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.open(folder / "wide.jpg").save(folder / "turned.jpg", exif=turned)
    Image.open(folder / "tall.png").convert("RGBA").rotate(20).save(folder / "clear.png")
    return folder


@pytest.fixture(scope="module")
def paths(album) -> list[Path]:
    return sorted(album.iterdir())


@pytest.fixture(scope="module")
def exported(scorer, tmp_path_factory) -> Path:
    """An export of photos, as the command line writes it, beside the runner's file."""
    for package in PACKAGES:
        needed(package)
    folder = tmp_path_factory.mktemp("export")
    scorer.save_pretrained(folder / "taste")
    arguments = ["export", str(folder / "taste"), "--out", str(folder / "mine.onnx")]
    outcome = CliRunner().invoke(app, [*arguments, "--runner", str(folder / "score.pyz")])
    assert outcome.exit_code == 0, outcome.output
    assert "any size" in outcome.output
    assert "from 1 to 5" in outcome.output
    assert "score.pyz" in outcome.output.splitlines()[-1]
    assert sorted(path.name for path in folder.iterdir()) == ["mine.onnx", "score.pyz", "taste"]
    return folder / "mine.onnx"


@pytest.fixture(scope="module")
def traced_pixels(scorer, tmp_path_factory) -> Path:
    """The graph from pixel values, traced once for all that is done with it."""
    for package in PACKAGES:
        needed(package)
    import onnx_ir

    from aesthetic_tv.export.onnx import traced_onnx
    from aesthetic_tv.export.tracing import sample

    graph = ScoreGraph(scorer, "pixels").eval()
    path = tmp_path_factory.mktemp("traced") / "traced.onnx"
    onnx_ir.save(traced_onnx(graph, sample(graph, (32, 32))), str(path))
    return path


def stored(scorer, traced: Path, precision: str, out: Path) -> ExportedScorer:
    import onnx_ir

    from aesthetic_tv.export.exporting import describe
    from aesthetic_tv.export.onnx import store_in, write_onnx

    model = onnx_ir.load(str(traced))
    store_in(model, precision)
    settings = ExportSettings(takes="pixels", precision=precision)
    write_onnx(model, out, describe(scorer, settings, "mine"))
    return ExportedScorer(out, threads=1)


def test_photos_of_any_size_get_the_stars_that_torch_gives_them(scorer, exported, paths):
    found = ExportedScorer(exported, threads=1)
    right = scorer.score(paths)
    np.testing.assert_allclose(found.score(paths), right, rtol=0, atol=1e-5)
    assert np.ptp(right) > 0.01  # which a constant would not pass
    raw = scorer.score(paths, calibrated=False)
    np.testing.assert_allclose(found.score(paths, calibrated=False), raw, rtol=0, atol=1e-5)


def test_a_batch_is_of_any_size_and_in_order(scorer, exported):
    random = np.random.default_rng(1)
    photos = random.integers(0, 256, (5, 50, 40, 3), dtype=np.uint8)
    found = ExportedScorer(exported, threads=1)
    together = found.score_array(photos)
    alone = [found.score_array(photo[None])[0] for photo in photos]
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-5)
    np.testing.assert_allclose(together, scorer.score(list(photos)), rtol=0, atol=1e-5)
    with pytest.raises(ExportError, match="takes photos, uint8"):
        found.score_array(photos.astype(np.float32))


def test_an_export_says_what_it_is(scorer, exported):
    told = ExportedScorer(exported).description
    assert (told.name, told.takes, told.precision) == ("mine", "photos", "float32")
    assert told.scale == (1.0, 5.0)
    assert told.calibrated
    assert told.tower == {"model_type": "clip_vision_model"}
    assert told.pixels.size == (32, 32)
    other = make_scorer(seed=1)
    from aesthetic_tv.export.exporting import describe

    assert describe(scorer, ExportSettings(), "x").weights_sha256 == told.weights_sha256
    assert describe(other, ExportSettings(), "x").weights_sha256 != told.weights_sha256


def test_an_export_tells_nothing_of_the_disk_it_was_made_on(exported):
    content = exported.read_bytes()
    for place in (Path(__file__).parents[1], Path(torch.__file__).parents[1], Path.home()):
        assert str(place).encode() not in content


@pytest.mark.parametrize(
    ("precision", "share", "near"),
    [("float32", 1, 1e-5), ("float16", 0.6, 1e-3), ("int8", 0.4, 0.05)],
)
def test_fewer_bits_are_smaller_and_nearly_as_good(
    scorer, traced_pixels, paths, tmp_path, precision, share, near
):
    found = stored(scorer, traced_pixels, precision, tmp_path / "out.onnx")
    np.testing.assert_allclose(found.score(paths), scorer.score(paths), rtol=0, atol=near)
    weights = sum(x.numel() * 4 for x in scorer.parameters())
    graph_alone = 60_000
    assert (tmp_path / "out.onnx").stat().st_size < share * weights + graph_alone


def test_weights_beyond_float16_are_refused(scorer, traced_pixels, tmp_path):
    import onnx_ir

    from aesthetic_tv.export.onnx import store_in

    model = onnx_ir.load(str(traced_pixels))
    name, value = next(
        (name, x) for name, x in model.graph.initializers.items() if x.const_value.size > 1024
    )
    value.const_value = onnx_ir.tensor(value.const_value.numpy() * 1e8, name=name)
    with pytest.raises(ExportError, match="beyond what float16 holds"):
        store_in(model, "float16")


@pytest.mark.slow
def test_activations_in_8_bits_are_found_on_photos(scorer, paths, tmp_path):
    for package in PACKAGES:
        needed(package)
    settings = ExportSettings(takes="pixels", precision="int8", calibration_photos=paths)
    report = export_scorer(scorer, tmp_path / "a.onnx", settings)
    assert report.description.precision == "int8-activations"
    import onnx

    kinds = [node.op_type for node in onnx.load(str(tmp_path / "a.onnx")).graph.node]
    assert "QuantizeLinear" in kinds
    found = ExportedScorer(tmp_path / "a.onnx").score(paths, calibrated=False)
    assert 0 < np.abs(found - scorer.score(paths, calibrated=False)).max() < 0.05


def test_what_differs_from_torch_is_refused_and_nothing_is_lost(
    scorer, traced_pixels, tmp_path, monkeypatch
):
    import onnx_ir

    again = onnx_ir.load(str(traced_pixels))
    monkeypatch.setattr("aesthetic_tv.export.exporting._traced", lambda graph, settings: again)
    out = tmp_path / "mine.onnx"
    out.write_text("what was there")
    settings = ExportSettings(takes="pixels", precision="int8", tolerance=1e-9)
    with pytest.raises(ExportError, match=r"differ from torch's by .* Nothing was written"):
        export_scorer(scorer, out, settings, overwrite=True)
    assert out.read_text() == "what was there"
    assert list(tmp_path.iterdir()) == [out]


class Bessel(torch.nn.Module):
    def forward(self, x):
        return torch.special.bessel_j0(x)


def test_an_operator_without_counterpart_is_named(tmp_path):
    for package in PACKAGES:
        needed(package)
    odd = make_scorer()
    odd.head.activation = Bessel()
    with pytest.raises(ExportError, match=r"operator \S*bessel_j0 .* no counterpart"):
        export_scorer(odd, tmp_path / "odd.onnx", ExportSettings(takes="pixels"))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_openvino_gives_the_same_stars_and_notices_a_changed_half(scorer, paths, tmp_path):
    needed("openvino", optional=True)
    out = tmp_path / "mine.xml"
    report = export_scorer(scorer, out, ExportSettings(format="openvino"), name="me")
    assert report.files == (out, tmp_path / "mine.bin")
    assert sorted(tmp_path.iterdir()) == [tmp_path / "mine.bin", out]
    found = ExportedScorer(out, threads=1)
    assert found.description.name == "me"
    np.testing.assert_allclose(found.score(paths), scorer.score(paths), rtol=0, atol=1e-3)
    weights = bytearray((tmp_path / "mine.bin").read_bytes())
    weights[len(weights) // 2] ^= 1
    (tmp_path / "mine.bin").write_bytes(weights)
    with pytest.raises(ExportError, match=r"mine\.bin is not what the file beside it"):
        ExportedScorer(out)


@pytest.mark.parametrize(
    ("resample", "squeezed"),
    [
        *((name, False) for name in FILTERS if name != "nearest"),
        *((name, True) for name in FILTERS),
    ],
)
def test_photos_become_pixels_in_the_graph_as_on_pillow(resample, squeezed):
    scorer = make_scorer()
    settings = image_processor(scorer.config).to_dict() | {"resample": FILTERS[resample]}
    if squeezed:
        settings |= {"size": {"height": 32, "width": 32}, "do_center_crop": False}
    scorer.config.processor = settings
    processor, pixels = image_processor(scorer.config), PhotoPixels(scorer)
    step = 1 / 255 / pixels.deviation.min().item()
    random = np.random.default_rng(0)
    for shape in ((40, 57), (333, 100), (20, 31), (30, 30), (20, 400)):
        photo = random.integers(0, 256, (*shape, 3), dtype=np.uint8)
        right = pixel_values(photo, processor)
        apart = (pixels(torch.from_numpy(photo)[None])[0] - right).abs()
        assert apart.max() < 1.01 * step  # a level, where the last digit decides
        assert (apart > 0.5 * step).float().mean() < 0.03


def test_a_processor_that_no_graph_can_follow_is_refused_with_the_way_out():
    scorer = make_scorer()
    settings = image_processor(scorer.config).to_dict() | {"resample": FILTERS["nearest"]}
    scorer.config.processor = settings
    with pytest.raises(ExportError, match="--takes pixels"):
        ScoreGraph(scorer, "photos")


def test_calibration_in_the_graph_is_interpolation():
    knots, values = [1.5, 2.0, 4.0], [1.0, 1.5, 5.0]
    raw = np.linspace(0, 6, 61)
    found = PiecewiseLinear(knots, values)(torch.from_numpy(raw).float())
    np.testing.assert_allclose(found, np.interp(raw, knots, values), rtol=0, atol=1e-5)


def test_the_runner_asks_for_neither_torch_nor_transformers():
    told = "import sys, aesthetic_tv.runner; print({'torch', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_runner_travels_alone(scorer, exported, album, paths, tmp_path):
    for name in ("torch", "transformers", "lazy_loader", "safetensors"):  # not there, as it seems
        (tmp_path / f"{name}.py").write_text("raise ImportError('not installed')")
    (tmp_path / "broken.jpg").write_bytes(paths[0].read_bytes()[:50])
    command = [sys.executable, str(exported.with_name("score.pyz")), str(exported), str(album)]
    done = subprocess.run(
        [*command, str(tmp_path / "broken.jpg")],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 3, done.stderr
    assert "broken.jpg" in done.stderr
    rows = [line.split(",") for line in done.stdout.splitlines()[1:]]
    scores = dict(zip(map(str, paths), scorer.score(paths), strict=True))
    assert [row[2] for row in rows] == sorted(scores, key=lambda path: -scores[path])
    np.testing.assert_allclose(
        [float(row[1]) for row in rows], sorted(scores.values())[::-1], atol=1e-5
    )


def test_the_runners_file_is_the_same_whenever_it_is_written(exported, tmp_path):
    again = write_runner(tmp_path / "again.pyz")
    assert again.read_bytes() == exported.with_name("score.pyz").read_bytes()
    with pytest.raises(OutputError, match="exists"):
        write_runner(again)
    with pytest.raises(SettingError, match=r"ends in \.pyz"):
        write_runner(tmp_path / "again.py")


def test_photos_that_cannot_be_read_are_named_and_stop_nobody(exported, paths, tmp_path, capsys):
    (tmp_path / "none.png").write_text("no picture")
    found = ExportedScorer(exported)
    scores, failures = found.score_readable([paths[0], tmp_path / "none.png", paths[1]])
    assert np.isfinite(scores).tolist() == [True, False, True]
    assert "none.png" in str(failures[1])
    with pytest.raises(PhotoError, match=r"none\.png"):
        found.score([tmp_path / "none.png"])
    assert run([str(exported), str(tmp_path / "missing")]) == 3
    assert "missing: there is no such file" in capsys.readouterr().err
    assert run([str(tmp_path / "no.onnx"), str(paths[0])]) == 2
    assert "there is no such file" in capsys.readouterr().err


def test_what_is_no_export_is_refused(exported, traced_pixels, tmp_path):
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(exported.read_bytes()[:5000])
    with pytest.raises(ExportError, match="damaged or cut off"):
        ExportedScorer(cut)
    with pytest.raises(ExportError, match="no export of a scorer"):
        ExportedScorer(traced_pixels)
    with pytest.raises(ExportError, match=r"ends in \.onnx or \.xml"):
        ExportedScorer(tmp_path / "taste.pt2")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format_version": 2}, "Upgrade"),
        ({"scale": [1]}, "damaged"),
        ({"takes": "files"}, "takes 'files'"),
        ({"surprise": 1}, "damaged"),
        ({"pixels": {"size": [32, 10**9]}}, "damaged|cannot be"),
    ],
)
def test_a_description_that_cannot_be_is_refused(scorer, change, told):
    from aesthetic_tv.export.exporting import describe

    made = describe(scorer, ExportSettings(), "mine")
    assert Description.from_json(made.to_json(), "x") == dataclasses.replace(made)
    with pytest.raises(ExportError, match=told):
        Description.from_json(json.dumps(json.loads(made.to_json()) | change), "x.onnx")


def test_nothing_is_replaced_or_begun_that_cannot_end_well(scorer, tmp_path):
    out = tmp_path / "mine.onnx"
    out.write_text("there")
    with pytest.raises(OutputError, match="--overwrite"):
        export_scorer(scorer, out)
    with pytest.raises(SettingError, match=r"ends in \.xml"):
        export_scorer(scorer, out, ExportSettings(format="openvino"))
    with pytest.raises(ScorerError, match="only an AestheticScorer"):
        export_scorer(scorer.head, tmp_path / "other.onnx")
    with pytest.raises(SettingError, match="nncf"):
        ExportSettings(format="openvino", precision="int8")
    with pytest.raises(SettingError, match="calibration photos are for int8"):
        ExportSettings(calibration_photos=["a.jpg"])
    with pytest.raises(SettingError, match="float8"):
        ExportSettings(precision="float8")
    outcome = CliRunner().invoke(app, ["export", str(tmp_path), "--out", str(tmp_path / "a.onnx")])
    assert outcome.exit_code == 2
    assert out.read_text() == "there"
    assert list(tmp_path.iterdir()) == [out]


def test_a_scorer_in_half_precision_is_exported_in_its_own_values():
    half = make_scorer().half()
    exact = _exact(half)
    assert exact.dtype == torch.float32
    assert half.dtype == torch.float16
    for name, value in half.state_dict().items():
        assert torch.equal(exact.state_dict()[name], value.float())
