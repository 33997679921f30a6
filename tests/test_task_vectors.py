"""Task vectors: exact arithmetic, and nothing that does not belong is ever let in."""

import json
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from aesthetic_tv.errors import BaseMismatchError, FormatError, OutputError, SettingError
from aesthetic_tv.scorer import AestheticScorer
from aesthetic_tv.task_vectors import TaskVector, TaskVectorBank, fingerprint
from aesthetic_tv.task_vectors.task_vector import layers_of
from conftest import make_bank, make_finetuned, make_scorer


def ulps(found: torch.Tensor, expected: torch.Tensor, start: torch.Tensor) -> float:
    """Largest error in units in the last place of the larger of start and expected."""
    scale = torch.maximum(start.abs(), expected.abs()).numpy()
    return float((np.abs((found - expected).numpy()) / np.spacing(scale)).max())


@pytest.fixture
def vector(tiny_scorer) -> TaskVector:
    return TaskVector.from_scorers(tiny_scorer, make_finetuned(tiny_scorer, 1), name="ava")


def test_a_vector_at_scale_one_gives_back_the_finetuned_scorer(tiny_scorer):
    for size in (1e-6, 1e-3, 0.05, 1.0, 100.0):
        finetuned = make_finetuned(tiny_scorer, 1, size)
        applied = layers_of(TaskVector.from_scorers(tiny_scorer, finetuned).apply(tiny_scorer))
        for name, expected in layers_of(finetuned).items():
            start = layers_of(tiny_scorer)[name]
            assert ulps(applied[name], expected, start) <= 1, name


def test_a_vector_at_scale_zero_gives_back_the_base(tiny_scorer, vector):
    applied = layers_of(vector.apply(tiny_scorer, 0.0))
    assert all(torch.equal(applied[k], v) for k, v in layers_of(tiny_scorer).items())


def test_apply_leaves_the_base_as_it_was(tiny_scorer, vector):
    before = fingerprint(layers_of(tiny_scorer))
    vector.apply(tiny_scorer)
    assert fingerprint(layers_of(tiny_scorer)) == before


@settings(max_examples=25, deadline=None)
@given(a=st.floats(-4, 4, width=32), b=st.floats(-4, 4, width=32))
def test_arithmetic_is_that_of_a_vector_space(a, b):
    bank = make_bank(2)
    x, y = bank.vectors
    close = {"rtol": 1e-4, "atol": 1e-5}
    for name in bank.layers:
        torch.testing.assert_close((x + y).layers[name], (y + x).layers[name], rtol=0, atol=0)
        torch.testing.assert_close((x - x).layers[name], torch.zeros_like(x.layers[name]))
        torch.testing.assert_close((-1 * -x).layers[name], x.layers[name], rtol=0, atol=0)
        torch.testing.assert_close(
            (a * x + b * x).layers[name], ((a + b) * x).layers[name], **close
        )
        torch.testing.assert_close(
            (a * (x + y)).layers[name], (a * x + a * y).layers[name], **close
        )


def test_cosine_similarity(tiny_bank):
    x, y, _ = tiny_bank.vectors
    assert x.cosine_similarity(x) == pytest.approx(1)
    assert x.cosine_similarity(-x) == pytest.approx(-1)
    assert (3 * x).cosine_similarity(y) == pytest.approx(x.cosine_similarity(y))
    assert (0 * x).cosine_similarity(y) == 0
    flat = [torch.cat([v.layers[n].flatten() for n in tiny_bank.layers]).double() for v in (x, y)]
    expected = torch.nn.functional.cosine_similarity(*flat, dim=0)
    assert x.cosine_similarity(y) == pytest.approx(float(expected))
    assert tiny_bank.similarity()[0, 1] == pytest.approx(float(expected))


def test_a_computed_vector_keeps_no_licence_and_no_figures(tiny_scorer):
    vector = TaskVector.from_scorers(
        tiny_scorer, make_finetuned(tiny_scorer, 1), license="mit", metrics={"srocc": 0.5}
    )
    assert (2 * vector).license is None and (-vector).metrics == {}


@pytest.mark.parametrize(
    ("dtype", "error"), [("float32", 0), ("float16", 1e-3), ("bfloat16", 1e-2)]
)
def test_save_and_load(tiny_scorer, vector, tmp_path, dtype, error):
    vector.save_pretrained(tmp_path / "v", storage=dtype)
    loaded = TaskVector.from_pretrained(tmp_path / "v", base=tiny_scorer)
    assert (loaded - vector).norm() <= error * vector.norm()
    config = json.loads((tmp_path / "v/task_vector_config.json").read_text())
    assert config["storage"]["relative_error"] == pytest.approx(
        (loaded - vector).norm() / vector.norm(), rel=1e-3, abs=1e-12
    )
    assert config["license"] is None
    assert (loaded.name, loaded.base) == (vector.name, vector.base)


def test_fingerprint_is_of_names_shapes_and_values_not_of_order_or_storage():
    x, y = torch.randn(3, 2), torch.randn(4)
    known = fingerprint({"x": x, "y": y})
    assert fingerprint({"y": y, "x": x}) == known
    assert fingerprint({"x": x.double(), "y": y}) == known
    assert fingerprint({"x": x.reshape(2, 3), "y": y}) != known
    assert fingerprint({"z": x, "y": y}) != known
    assert fingerprint({"x": x + 1e-6, "y": y}) != known


def test_another_base_is_refused(vector):
    other = make_scorer(seed=5)
    with pytest.raises(BaseMismatchError, match="fingerprint"):
        vector.apply(other)
    with pytest.raises(BaseMismatchError, match="fingerprint"):
        TaskVectorBank(other, [vector])
    foreign = TaskVector.from_scorers(other, make_finetuned(other, 1))
    with pytest.raises(BaseMismatchError, match="fingerprint"):
        vector + foreign


def test_another_architecture_is_refused(tiny_scorer):
    with pytest.raises(BaseMismatchError, match=r"layers\.2"):
        TaskVector.from_scorers(tiny_scorer, make_scorer(num_hidden_layers=3))
    with pytest.raises(BaseMismatchError, match="another shape"):
        TaskVector.from_scorers(tiny_scorer, make_scorer(intermediate_size=32))


def rewrite(folder, change) -> None:
    """Change the tensors of a saved vector behind its config's back."""
    path = folder / "task_vector.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


FIRST = "vision.vision_model.embeddings.class_embedding"


def rename(tensors):
    tensors["vision.elsewhere"] = tensors.pop(FIRST)


def drop(tensors):
    del tensors[FIRST]


def reshape(tensors):
    tensors[FIRST] = tensors[FIRST][:-1].clone()


def poison(tensors):
    tensors[FIRST][0] = float("nan")


def nudge(tensors):
    tensors[FIRST][0] += 1e-3


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (rename, BaseMismatchError, "vision.elsewhere"),
        (drop, BaseMismatchError, FIRST),
        (reshape, BaseMismatchError, FIRST),
        (poison, FormatError, FIRST),
        (nudge, FormatError, "content hash"),
    ],
)
def test_tensors_that_were_tampered_with_are_named(
    tiny_scorer, vector, tmp_path, change, error, message
):
    vector.save_pretrained(tmp_path / "v")
    rewrite(tmp_path / "v", change)
    with pytest.raises(error, match=message):
        TaskVector.from_pretrained(tmp_path / "v", base=tiny_scorer)


def test_a_cut_off_file_is_refused_wherever_it_is_cut(vector, tmp_path):
    vector.save_pretrained(tmp_path / "v")
    path = tmp_path / "v/task_vector.safetensors"
    whole = path.read_bytes()
    for length in (0, 4, 8, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(FormatError, match="not a whole safetensors file"):
            TaskVector.from_pretrained(tmp_path / "v")


def test_a_flipped_byte_is_never_a_silently_wrong_vector(vector, tmp_path):
    vector.save_pretrained(tmp_path / "v")
    path = tmp_path / "v/task_vector.safetensors"
    whole = path.read_bytes()
    for at in np.linspace(0, len(whole) - 1, 40).astype(int):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x40]) + whole[at + 1 :])
        with pytest.raises(FormatError):
            TaskVector.from_pretrained(tmp_path / "v")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", "no format_version"),
        ('{"format_version": 99}', "Upgrade"),
        ('{"format_version": 1}', "base is None"),
    ],
)
def test_a_config_that_cannot_be_used_is_named(vector, tmp_path, text, message):
    vector.save_pretrained(tmp_path / "v")
    (tmp_path / "v/task_vector_config.json").write_text(text)
    with pytest.raises(FormatError, match=message):
        TaskVector.from_pretrained(tmp_path / "v")


def test_a_folder_of_another_kind_is_never_overwritten(vector, tmp_path):
    folder = tmp_path / "holiday"
    folder.mkdir()
    (folder / "photo.jpg").write_text("precious")
    with pytest.raises(OutputError, match="left alone"):
        vector.save_pretrained(folder)
    assert (folder / "photo.jpg").read_text() == "precious"


def test_an_unknown_dtype_is_refused_before_anything_is_written(vector, tmp_path):
    with pytest.raises(SettingError, match="float64"):
        vector.save_pretrained(tmp_path / "v", storage="float64")
    assert not (tmp_path / "v").exists()


def test_bank_round_trip(tiny_bank, tmp_path):
    tiny_bank.save_pretrained(tmp_path / "bank", readme="# a bank")
    loaded = TaskVectorBank.from_pretrained(tmp_path / "bank")
    assert loaded.names == tiny_bank.names
    assert loaded.reference == tiny_bank.reference
    assert (tmp_path / "bank/README.md").read_text() == "# a bank"
    for name, tau in tiny_bank.stacked.items():
        assert torch.equal(loaded.stacked[name], tau)


def test_bank_merge_of_zeros_is_the_base(tiny_bank):
    merged = layers_of(tiny_bank.merge(torch.zeros(len(tiny_bank.layers), 3)))
    assert all(torch.equal(merged[name], tiny_bank.start[name]) for name in merged)


def test_bank_merge_with_one_task_gives_back_its_finetuned_scorer(tiny_bank):
    for k, name in enumerate(tiny_bank.names):
        merged = layers_of(tiny_bank.task_scorer(name))
        finetuned = layers_of(make_finetuned(tiny_bank.base, k + 1))
        for layer, expected in finetuned.items():
            assert ulps(merged[layer], expected, tiny_bank.start[layer]) <= 1


@settings(max_examples=20, deadline=None)
@given(weight=st.floats(-2, 2), seed=st.integers(0, 1000))
def test_bank_merge_is_linear_in_alpha(weight, seed):
    bank = make_bank(3)
    torch.manual_seed(seed)
    a, b = torch.randn(2, len(bank.layers), 3)
    mixed = bank.merged_layers(weight * a + (1 - weight) * b)
    one, other = bank.merged_layers(a), bank.merged_layers(b)
    for name in bank.layers:
        expected = weight * one[name] + (1 - weight) * other[name]
        torch.testing.assert_close(mixed[name], expected, rtol=1e-4, atol=1e-4)


def test_bank_merge_is_the_sum_layer_by_layer(tiny_bank):
    torch.manual_seed(0)
    alpha = torch.randn(len(tiny_bank.layers), 3)
    merged = layers_of(tiny_bank.merge(alpha))
    for row, name in enumerate(tiny_bank.layers):
        expected = tiny_bank.start[name].clone()
        for k, vector in enumerate(tiny_bank.vectors):
            expected += alpha[row, k] * vector.layers[name]
        torch.testing.assert_close(merged[name], expected, rtol=1e-5, atol=1e-6)


def test_bank_scores_are_those_of_its_single_models(tiny_bank, photos):
    scores = tiny_bank.score(photos, batch_size=5)
    assert scores.shape == (12, 3)
    for k, name in enumerate(tiny_bank.names):
        np.testing.assert_allclose(
            scores[:, k], tiny_bank.task_scorer(name).score(photos), atol=1e-5
        )


def test_the_generic_score_is_to_first_order_the_mean_of_the_single_models(photos):
    bank = make_bank(size=0.002)
    base = bank.base.score(photos)
    moved = bank.score(photos).mean(1) - base
    np.testing.assert_allclose(
        bank.generic_score(photos) - base, moved, atol=0.1 * np.abs(moved).max()
    )


def test_coefficients_of_another_shape_are_refused(tiny_bank):
    with pytest.raises(SettingError, match="one row for each layer"):
        tiny_bank.merge(torch.zeros(3, len(tiny_bank.layers)))


def test_a_bank_needs_vectors_of_different_names(tiny_bank):
    with pytest.raises(SettingError, match="different names"):
        TaskVectorBank(tiny_bank.base, [tiny_bank.vectors[0], tiny_bank.vectors[0]])
    with pytest.raises(SettingError, match="different names"):
        TaskVectorBank(tiny_bank.base, [])


def test_vectors_swapped_within_a_bank_are_noticed(tiny_bank, tmp_path):
    tiny_bank.save_pretrained(tmp_path / "bank")
    first, second = tmp_path / "bank/vectors/00", tmp_path / "bank/vectors/01"
    shutil.move(first, tmp_path / "aside")
    shutil.move(second, first)
    shutil.move(tmp_path / "aside", second)
    with pytest.raises(FormatError, match="task0"):
        TaskVectorBank.from_pretrained(tmp_path / "bank")


def test_a_bank_whose_base_was_changed_is_refused(tiny_bank, tmp_path):
    tiny_bank.save_pretrained(tmp_path / "bank")
    make_scorer(seed=9).save_pretrained(tmp_path / "bank/base")
    with pytest.raises(BaseMismatchError, match="fingerprint"):
        TaskVectorBank.from_pretrained(tmp_path / "bank")


@pytest.mark.parametrize("path", ["../outside", "/etc", "vectors/../../outside"])
def test_a_bank_cannot_name_files_outside_its_folder(tiny_bank, tmp_path, path):
    tiny_bank.save_pretrained(tmp_path / "bank")
    config = json.loads((tmp_path / "bank/bank_config.json").read_text())
    config["vectors"][0]["path"] = path
    (tmp_path / "bank/bank_config.json").write_text(json.dumps(config))
    with pytest.raises(FormatError, match="outside"):
        TaskVectorBank.from_pretrained(tmp_path / "bank")


def test_a_half_precision_bank_stores_its_base_without_loss(tiny_bank, tmp_path):
    tiny_bank.save_pretrained(tmp_path / "bank", storage="float16")
    loaded = TaskVectorBank.from_pretrained(tmp_path / "bank")
    assert loaded.base_reference == tiny_bank.base_reference
    assert loaded.base.dtype == torch.float32


def test_a_task_vector_loads_as_its_finetuned_scorer(tiny_bank, tmp_path, photos):
    tiny_bank.vectors[1].save_pretrained(tmp_path / "v")
    scorer = AestheticScorer.from_pretrained(tmp_path / "v", bank=tiny_bank)
    np.testing.assert_allclose(scorer.score(photos), tiny_bank.score(photos)[:, 1], atol=1e-5)


def test_an_unknown_embedded_bank_names_those_there_are():
    with pytest.raises(FormatError, match="huge"):
        TaskVectorBank.from_pretrained("embedded:huge")
