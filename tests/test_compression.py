"""Few bits a weight: errors are bounded, files are small, and no damage passes for a vector."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from aesthetic_tv.cli.compress import compress
from aesthetic_tv.cli.outcome import FAILED
from aesthetic_tv.errors import BaseMismatchError, FormatError, OutputError, SettingError
from aesthetic_tv.task_vectors import BaseReference, TaskVector, TaskVectorBank, compress_folder
from aesthetic_tv.task_vectors.compression import (
    BITS,
    SMALLEST,
    dequantize,
    pack,
    quantize,
    row_bytes,
    unpack,
)
from aesthetic_tv.task_vectors.storage import METADATA_KEY, STORAGES, encode_layers, open_layers
from conftest import make_bank, make_finetuned, make_scorer

QUERY = "vision.vision_model.encoder.layers.0.self_attn.q_proj.weight"
NORM = "vision.vision_model.post_layernorm.weight"

matrices = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=40),
    elements=st.floats(-1e4, 1e4, width=32),
)


def decoded(values: torch.Tensor, bits: int) -> torch.Tensor:
    codes, scales = quantize(values, bits)
    return dequantize(codes, scales, bits, torch.empty_like(values))


def half_steps(values: torch.Tensor, bits: int) -> torch.Tensor:
    """Half a step of the grid that spans each row: (rows, 1), rounded up as bfloat16 rounds."""
    return values.abs().amax(1, keepdim=True) / 2**bits * (1 + 2**-7)


@given(
    codes=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=30)),
    bits=st.sampled_from(BITS),
)
def test_packed_codes_come_back(codes, bits):
    codes = torch.from_numpy(codes & (2**bits - 1))
    packed = pack(codes, bits)
    assert packed.shape == (len(codes), row_bytes(codes.shape[1], bits))
    assert torch.equal(unpack(packed, bits, torch.empty_like(codes)), codes)


@pytest.mark.parametrize(("bits", "expected"), [(2, 32), (3, 48), (4, 64), (8, 128)])
def test_packing_leaves_no_bit_unused(bits, expected):
    assert row_bytes(128, bits) == expected


@settings(max_examples=200, deadline=None)
@given(values=matrices, bits=st.sampled_from(BITS))
def test_a_row_errs_by_half_a_step_at_most(values, bits):
    values = torch.from_numpy(values)
    error = (decoded(values, bits) - values).double().square().mean(1, keepdim=True).sqrt()
    bound = half_steps(values, bits).double().clamp_min(SMALLEST)
    assert (error <= bound * (1 + 1e-5)).all()


@pytest.mark.parametrize("bits", BITS)
def test_in_eight_bits_and_less_a_bell_errs_as_theory_says(bits):
    # Least error of 2^bits evenly spaced levels on a normal distribution, as a standard deviation;
    # at 8 bits the level that spans a row of 512 is coarser than that, hence the margin.
    least = {2: 0.3447, 3: 0.1934, 4: 0.1074, 8: 0.0102}[bits]
    torch.manual_seed(0)
    values = torch.randn(200, 512)
    error = (decoded(values, bits) - values).square().mean().sqrt()
    assert error <= 1.02 * least


@pytest.mark.parametrize("bits", BITS)
def test_a_row_of_zeros_stays_zero(bits):
    values = torch.randn(3, 17)
    values[1] = 0
    found = decoded(values, bits)
    assert torch.equal(found[1], torch.zeros(17)) and not torch.signbit(found[1]).any()
    assert found[0].any() and found[2].any()


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("size", [1e-28, 1e-6, 1e30])
def test_the_size_of_a_row_does_not_matter(bits, size):
    torch.manual_seed(0)
    values = torch.randn(5, 64)
    error = (decoded(values * size, bits) / size - values).norm() / values.norm()
    assert error <= 0.4 / 2 ** (bits - 2)


def test_one_outlier_is_not_paid_for_by_the_whole_row():
    torch.manual_seed(0)
    values = torch.randn(1, 4096)
    values[0, 7] = 20.0
    error = (decoded(values, 4) - values).square().mean().sqrt()
    assert error < 0.5 * float(half_steps(values, 4)) / 3**0.5


def test_encoding_and_decoding_are_deterministic():
    torch.manual_seed(0)
    values = torch.randn(64, 300)
    first, second = quantize(values, 4), quantize(values, 4)
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])
    whole = dequantize(*first, 4, torch.empty_like(values))
    rows = [dequantize(first[0][[i]], first[1][[i]], 4, torch.empty(1, 300)) for i in range(64)]
    assert torch.equal(torch.cat(rows), whole)


def test_decoding_is_an_odd_multiple_of_the_scale():
    codes = pack(torch.arange(16, dtype=torch.uint8)[None], 4)
    scale = torch.tensor([0.1]).bfloat16()
    found = dequantize(codes, scale, 4, torch.empty(1, 16))
    assert torch.equal(found[0], torch.arange(-15.0, 16, 2) * scale.float())


@pytest.fixture
def vector(tiny_scorer) -> TaskVector:
    return TaskVector.from_scorers(
        tiny_scorer, make_finetuned(tiny_scorer, 1), name="ava", license="mit"
    )


@pytest.mark.parametrize("bits", BITS)
def test_a_compressed_vector_is_what_its_saved_file_gives(tiny_scorer, vector, tmp_path, bits):
    compressed = vector.compress(bits)
    assert (compressed.storage, compressed.name, compressed.license) == (f"int{bits}", "ava", "mit")
    compressed.save_pretrained(tmp_path / "v")
    loaded = TaskVector.from_pretrained(tmp_path / "v", base=tiny_scorer)
    assert loaded.content_sha256 == compressed.content_sha256
    assert loaded.storage == f"int{bits}"
    assert loaded.layers.keys() == vector.layers.keys()
    assert all(torch.equal(loaded.layers[k], compressed.layers[k]) for k in vector.layers)
    loaded.save_pretrained(tmp_path / "again")
    first, second = (
        (tmp_path / x / "task_vector.safetensors").read_bytes() for x in ("v", "again")
    )
    assert sorted(first) == sorted(second)  # bytes; the order of the header is not stable
    vector.save_pretrained(tmp_path / "direct", storage=f"int{bits}")
    direct = TaskVector.from_pretrained(tmp_path / "direct")
    assert direct.content_sha256 == compressed.content_sha256


def test_the_config_tells_the_storage(vector, tmp_path):
    vector.save_pretrained(tmp_path / "v", storage="int4")
    config = json.loads((tmp_path / "v/task_vector_config.json").read_text())
    error = (vector.compress(4) - vector).norm() / vector.norm()
    assert config["storage"] == {
        "bits": 4,
        "scheme": "odd-multiples-per-row",
        "relative_error": pytest.approx(error, rel=1e-6),
        "bytes": (tmp_path / "v/task_vector.safetensors").stat().st_size,
    }


def test_norms_biases_and_embeddings_keep_sixteen_bits(vector):
    compressed = vector.compress(4)
    for name, layer in vector.layers.items():
        if layer.dim() == 1 or "position_embedding" in name:
            assert torch.equal(compressed.layers[name], layer.bfloat16().float()), name
        else:
            assert all(row.unique().numel() <= 16 for row in compressed.layers[name].flatten(1))


def test_what_is_stored_so_already_is_not_rounded_again(vector):
    compressed = vector.compress(4)
    assert compressed.compress(4).layers is compressed.layers
    twice = compressed.compress(8)
    assert twice.storage == "int8" and (twice - compressed).norm() < 0.02 * compressed.norm()


@pytest.mark.parametrize("bits", [0, 1, 5, 16, 32])
def test_other_numbers_of_bits_are_refused(vector, bits):
    with pytest.raises(SettingError, match="int4"):
        vector.compress(bits)


def test_values_beyond_half_precision_are_refused_not_stored_as_infinity(vector, tmp_path):
    with pytest.raises(SettingError, match="beyond the range of float16"):
        (1e7 * vector).save_pretrained(tmp_path / "v", storage="float16")
    assert not (tmp_path / "v").exists()


def test_a_vector_of_zeros_can_be_compressed(vector):
    nothing = (0 * vector).compress(4)
    assert nothing.norm() == 0 and nothing.layers.relative_error == 0


def test_fewer_bits_are_smaller_files_and_larger_errors(tmp_path):
    base = make_scorer(
        hidden_size=128,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=512,
        projection_dim=128,
        image_size=224,
        patch_size=32,
    )
    generator = torch.Generator().manual_seed(0)
    layers = {
        k: 1e-3 * torch.randn(p.shape, generator=generator) for k, p in base.named_parameters()
    }
    vector = TaskVector(layers, BaseReference.of(base))
    sizes, errors = {}, {}
    for storage in STORAGES:
        vector.save_pretrained(tmp_path / storage, storage=storage)
        config = json.loads((tmp_path / storage / "task_vector_config.json").read_text())
        sizes[storage] = config["storage"]["bytes"]
        errors[storage] = config["storage"]["relative_error"]
    full = sizes["float32"]
    assert sizes["int8"] <= 0.26 * full
    assert sizes["int4"] <= 0.135 * full
    assert sizes["int3"] <= 0.105 * full
    assert sizes["int2"] <= 0.075 * full
    assert errors["int8"] < 0.01 < errors["int4"] < 0.12 < errors["int3"] < 0.21 < errors["int2"]


def rewrite(folder, change) -> None:
    """Change tensors, or what the header says of them, behind the config's back."""
    path = folder / "task_vector.safetensors"
    tensors, content = load_file(path), json.loads(open_layers(path).metadata()[METADATA_KEY])
    change(tensors, content)
    save_file(tensors, path, {METADATA_KEY: content.get("raw", json.dumps(content))})


def cut_codes(tensors, _):
    tensors[QUERY + ".codes"] = tensors[QUERY + ".codes"][:, :-1].clone()


def drop_scales(tensors, _):
    del tensors[QUERY + ".scales"]


def scales_in_float32(tensors, _):
    tensors[QUERY + ".scales"] = tensors[QUERY + ".scales"].float()


def endless_scale(tensors, _):
    tensors[QUERY + ".scales"][0] = float("inf")


def no_number_as_scale(tensors, _):
    tensors[QUERY + ".scales"][0] = float("nan")


def other_scale(tensors, _):
    tensors[QUERY + ".scales"][0] *= 2


def huge_shape(_, content):
    content["shapes"][QUERY] = [2**40, 2**40]


def wide_shape(_, content):
    content["shapes"][QUERY][1] += 1


def negative_shape(_, content):
    content["shapes"][QUERY] = [-32, -32]


def broken_shape(_, content):
    content["shapes"][QUERY] = "32"


def no_shape(_, content):
    content["shapes"][QUERY] = []


def forgotten_layer(_, content):
    del content["shapes"][QUERY]


def both_ways(tensors, _):
    tensors[QUERY] = torch.zeros(32, 32)


def other_scheme(_, content):
    content["scheme"] = "magic"


def other_bits(_, content):
    content["bits"] = 5


def bits_in_words(_, content):
    content["bits"] = "four"


def true_bits(_, content):
    content["bits"] = True


def no_json(_, content):
    content["raw"] = "{"


def no_object(_, content):
    content["raw"] = "[]"


def exact_layer_as_bytes(tensors, _):
    tensors[NORM] = tensors[NORM].to(torch.uint8)


def exact_layer_in_double(tensors, _):
    tensors[NORM] = tensors[NORM].double()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (cut_codes, rf"{QUERY}\.codes"),
        (drop_scales, rf"{QUERY}\.scales is missing"),
        (scales_in_float32, rf"{QUERY}\.scales"),
        (endless_scale, rf"{QUERY}\.scales"),
        (no_number_as_scale, rf"{QUERY}\.scales"),
        (other_scale, "content hash"),
        (huge_shape, rf"{QUERY}\.codes"),
        (wide_shape, rf"{QUERY}\.codes|content hash"),
        (negative_shape, QUERY),
        (broken_shape, QUERY),
        (no_shape, QUERY),
        (forgotten_layer, rf"{QUERY}\.codes"),
        (both_ways, QUERY),
        (other_scheme, "magic"),
        (other_bits, "5 bits"),
        (bits_in_words, "four"),
        (true_bits, "True bits"),
        (no_json, "cannot be understood"),
        (no_object, "cannot be understood"),
        (exact_layer_as_bytes, NORM),
        (exact_layer_in_double, NORM),
    ],
)
def test_a_file_that_was_tampered_with_is_refused(tiny_scorer, vector, tmp_path, change, message):
    vector.save_pretrained(tmp_path / "v", storage="int4")
    rewrite(tmp_path / "v", change)
    with pytest.raises(FormatError, match=message):
        TaskVector.from_pretrained(tmp_path / "v", base=tiny_scorer)
    with pytest.raises(FormatError):
        TaskVector.from_pretrained(tmp_path / "v")


def test_a_renamed_layer_in_few_bits_is_named(tiny_scorer, vector, tmp_path):
    def rename(tensors, content):
        content["shapes"]["elsewhere"] = content["shapes"].pop(QUERY)
        for part in (".codes", ".scales"):
            tensors["elsewhere" + part] = tensors.pop(QUERY + part)

    vector.save_pretrained(tmp_path / "v", storage="int4")
    rewrite(tmp_path / "v", rename)
    with pytest.raises(BaseMismatchError, match="elsewhere"):
        TaskVector.from_pretrained(tmp_path / "v", base=tiny_scorer)


@pytest.mark.parametrize("storage", ["int8", "int4", "int3"])
def test_a_flipped_byte_is_never_a_silently_wrong_vector(vector, tmp_path, storage):
    vector.save_pretrained(tmp_path / "v", storage=storage)
    path = tmp_path / "v/task_vector.safetensors"
    whole, right = path.read_bytes(), TaskVector.from_pretrained(tmp_path / "v")
    refused, places = 0, np.linspace(0, len(whole) - 1, 200).astype(int)
    for at in places:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x40]) + whole[at + 1 :])
        try:
            found = TaskVector.from_pretrained(tmp_path / "v")
        except FormatError:
            refused += 1
        else:  # a bit that stands for nothing, such as the padding of a row
            assert all(torch.equal(found.layers[k], right.layers[k]) for k in right.layers)
            assert found.layers.keys() == right.layers.keys()
    assert refused > 0.9 * len(places)


def test_a_cut_off_file_is_refused_wherever_it_is_cut(vector, tmp_path):
    vector.save_pretrained(tmp_path / "v", storage="int4")
    path = tmp_path / "v/task_vector.safetensors"
    whole = path.read_bytes()
    for length in (0, 4, 8, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(FormatError, match="not a whole safetensors file"):
            TaskVector.from_pretrained(tmp_path / "v")


def test_a_bank_may_mix_storages(tmp_path):
    plain = make_bank(4)
    kinds = [plain.vectors[0].compress(4), plain.vectors[1].compress(8), *plain.vectors[2:]]
    bank = TaskVectorBank(plain.base, kinds)
    bank.save_pretrained(tmp_path / "bank")
    loaded = TaskVectorBank.from_pretrained(tmp_path / "bank")
    assert [v.storage for v in loaded.vectors] == ["int4", "int8", "float32", "float32"]
    assert loaded.reference == bank.reference
    alpha = torch.randn(len(bank.layers), 4)
    for name, layer in bank.merged_layers(alpha).items():
        assert torch.equal(loaded.merged_layers(alpha)[name], layer)


def test_a_compressed_bank_is_saved_as_it_is_and_its_base_without_loss(tiny_bank, tmp_path):
    tiny_bank.save_pretrained(tmp_path / "bank", storage="int4")
    loaded = TaskVectorBank.from_pretrained(tmp_path / "bank")
    assert loaded.base_reference == tiny_bank.base_reference
    loaded.save_pretrained(tmp_path / "again")
    again = TaskVectorBank.from_pretrained(tmp_path / "again")
    assert again.reference == loaded.reference
    assert {v.storage for v in again.vectors} == {"int4"}


def test_a_bank_may_be_saved_over_the_files_it_reads_from(tiny_bank, tmp_path):
    tiny_bank.save_pretrained(tmp_path / "bank", storage="int4")
    loaded = TaskVectorBank.from_pretrained(tmp_path / "bank", in_memory=False)
    before = loaded.reference
    loaded.save_pretrained(tmp_path / "bank", storage="float32")
    assert TaskVectorBank.from_pretrained(tmp_path / "bank").reference == before


def test_encoding_refuses_an_unknown_storage_before_it_reads_a_layer():
    with pytest.raises(SettingError, match="float64"):
        encode_layers({"x": None}, "float64")  # type: ignore[dict-item]


def test_a_folder_with_a_vector_or_a_bank_is_compressed_into_another(tiny_bank, tmp_path):
    tiny_bank.vectors[0].save_pretrained(tmp_path / "v")
    (report,) = compress_folder(tmp_path / "v", tmp_path / "v4", bits=4)
    assert report.name == "task0" and 0.05 < report.relative_error < 0.15
    assert report.bytes == (tmp_path / "v4/task_vector.safetensors").stat().st_size
    assert TaskVector.from_pretrained(tmp_path / "v4").storage == "int4"
    tiny_bank.save_pretrained(tmp_path / "bank")
    reports = compress_folder(tmp_path / "bank", tmp_path / "bank8", bits=8)
    assert [report.name for report in reports] == list(tiny_bank.names)
    loaded = TaskVectorBank.from_pretrained(tmp_path / "bank8")
    assert {vector.storage for vector in loaded.vectors} == {"int8"}


def test_compressing_never_takes_the_place_of_what_it_was_made_from(vector, tmp_path):
    vector.save_pretrained(tmp_path / "v")
    with pytest.raises(OutputError, match="Name another folder"):
        compress_folder(tmp_path / "v", tmp_path / "x/../v")
    with pytest.raises(SettingError, match="int5"):
        compress_folder(tmp_path / "v", tmp_path / "out", bits=5)
    with pytest.raises(FormatError, match="neither"):
        compress_folder(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert TaskVector.from_pretrained(tmp_path / "v").storage == "float32"


def test_the_command_tells_what_became_of_each_vector(vector, tmp_path):
    vector.save_pretrained(tmp_path / "v")
    app = typer.Typer()
    app.command()(compress)
    arguments = [str(tmp_path / "v"), "--bits", "4", "--out", str(tmp_path / "v4")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "ava: 0." in done.output and "% of float32" in done.output
    done = CliRunner().invoke(app, [*arguments[:-1], str(tmp_path / "v")])
    assert done.exit_code == FAILED and "Name another" in done.output


PEAK = """
import sys, torch
from aesthetic_tv.task_vectors import TaskVector

def status(key):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))

warm, folder = sys.argv[1:]
{k: v for k, v in TaskVector.from_pretrained(warm).layers.items()}
open("/proc/self/clear_refs", "w").write("5")  # forget the peak so far
before = status("VmRSS")
layers = dict(TaskVector.from_pretrained(folder).layers)
print(status("VmHWM") - before, sum(v.nbytes for v in layers.values()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
@pytest.mark.parametrize("storage", ["float32", "int4"])
def test_loading_takes_little_more_memory_than_what_is_loaded(vector, tmp_path, storage):
    vector.save_pretrained(tmp_path / "warm", storage=storage)
    layers = {f"l{i}.weight": torch.full((1024, 1536), 1e-3 * (i + 1)) for i in range(16)}
    TaskVector(layers, vector.base).save_pretrained(tmp_path / "v", storage=storage)
    done = subprocess.run(
        [sys.executable, "-c", PEAK, tmp_path / "warm", tmp_path / "v"],
        capture_output=True,
        text=True,
        check=True,
    )
    peak, size = map(int, done.stdout.split())
    assert size == 16 * 1024 * 1536 * 4  # 100 MB
    assert peak <= 1.1 * size
