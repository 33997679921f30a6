"""What one person pushes, another loads in a process of their own with an empty cache."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import aesthetic_tv
from aesthetic_tv import AestheticScorer, Personalization, TaskVector, TaskVectorBank
from aesthetic_tv.errors import (
    AestheticTVError,
    BaseMismatchError,
    FormatError,
    HubNotFoundError,
    HubUnreachableError,
    ScorerError,
    SettingError,
)
from aesthetic_tv.personalization import Figures
from aesthetic_tv.personalization.calibration import Calibration
from aesthetic_tv.task_vectors.task_vector import BaseReference, layers_of
from conftest import ALICE, HUB, make_bank, make_finetuned, make_scorer
from hub_server import HubServer, RefusedError

FIGURES = Figures("srocc", 0.6, 0.5, 0.1, (-0.1, 0.3), 12, 60)


def make_taste(bank: TaskVectorBank) -> Personalization:
    """A taste as a solver would leave it."""
    torch.manual_seed(1)
    return Personalization(
        torch.randn(len(bank.layers), len(bank.names)),
        bank.layers,
        bank.names,
        bank.reference,
        {"name": "paper"},
        Calibration((4.0, 7.0), (1.0, 5.0)),
        FIGURES,
        bank,
    )


@pytest.fixture
def base(hub: HubServer) -> AestheticScorer:
    """A base from the Hub."""
    make_scorer().push_to_hub("alice/base", token=ALICE)
    return AestheticScorer.from_pretrained("alice/base")


@pytest.fixture
def vectors(base: AestheticScorer) -> list[TaskVector]:
    """Two task vectors from repos of their own."""
    for k in range(2):
        vector = TaskVector.from_scorers(base, make_finetuned(base, k + 1), name=f"task{k}")
        vector.push_to_hub(f"alice/vector{k}", token=ALICE)
    return [TaskVector.from_pretrained(f"alice/vector{k}") for k in range(2)]


@pytest.fixture
def bank(hub: HubServer) -> TaskVectorBank:
    bank = make_bank(2)
    bank.push_to_hub("alice/bank", token=ALICE)
    return bank


def run_elsewhere(
    code: str, cache: Path, *arguments: object, block: bool = False
) -> subprocess.CompletedProcess:
    """Run code in a second process with an empty cache; `block` hides aesthetic_tv from it."""
    hidden = "import sys; sys.modules['aesthetic_tv'] = None\n" if block else ""
    environment = os.environ | {"HF_HOME": str(cache), "OMP_NUM_THREADS": "1"}
    environment["HF_HUB_OFFLINE"] = "0"  # the demo turns it on for its own process
    environment["PYTHONPATH"] = "" if block else str(Path(aesthetic_tv.__file__).parents[1])
    return subprocess.run(
        [sys.executable, "-c", hidden + code, *map(str, arguments)],
        env=environment, cwd=cache.parent, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


ALL_FOUR = """
import json, sys
import aesthetic_tv
assert "torch" not in sys.modules
from transformers import AutoModel, pipeline
from aesthetic_tv import AestheticScorer, Personalization, TaskVector, TaskVectorBank
photo, *names = sys.argv[1:]
told = {name: AestheticScorer.from_pretrained(name).score(photo)[0] for name in names}
told["bank"] = TaskVectorBank.from_pretrained("alice/bank").score([photo])[0].tolist()
told["vector"] = TaskVector.from_pretrained("alice/vector1").content_sha256
mine = Personalization.from_pretrained("alice/taste")
told["reference"] = [mine.bank_reference.repo_id, mine.bank_reference.revision]
told["auto"] = AutoModel.from_pretrained("alice/full").score(photo)[0]
told["pipeline"] = pipeline("aesthetic-scoring", model="alice/full")(photo)[0]["score"]
print(json.dumps(told))
"""


@pytest.mark.slow
def test_all_four_kinds_from_a_second_process_with_an_empty_cache(bank, vectors, photos, tmp_path):
    mine = make_taste(bank)
    mine.push_to_hub("alice/taste", token=ALICE)
    mine.merge().push_to_hub("alice/full", token=ALICE)
    names = ["alice/taste", "alice/full", "alice/vector1", "alice/base"]
    result = run_elsewhere(ALL_FOUR, tmp_path / "elsewhere", photos[0], *names)
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    expected = mine.merge().score(photos[0])[0]
    # to a unit in the last place of float32: memory may lie otherwise in another process
    assert told["alice/taste"] == told["alice/full"] == pytest.approx(expected, rel=1e-6)
    assert told["auto"] == told["pipeline"] == pytest.approx(expected, rel=1e-6)
    finetuned = make_finetuned(make_scorer(), 2)
    assert told["alice/vector1"] == pytest.approx(finetuned.score(photos[0])[0], abs=1e-5)
    assert told["alice/base"] == pytest.approx(make_scorer().score(photos[0])[0], rel=1e-6)
    np.testing.assert_allclose(told["bank"], bank.score(photos[:1])[0], atol=1e-6)
    assert told["vector"] == vectors[1].content_sha256
    assert told["reference"] == ["alice/bank", bank.revision] and len(bank.revision) == 40
    size = sum(len(data) for data in HUB.model("alice/taste").files().values())
    assert size < 64 * 1024


REMOTE = """
import sys, json
from transformers import AutoModel, pipeline
assert sys.modules["aesthetic_tv"] is None
name, photo, other = sys.argv[1:]
model = AutoModel.from_pretrained(name, trust_remote_code=True)
score = pipeline("aesthetic-scoring", model=name, trust_remote_code=True)
told = score([photo, other], batch_size=2)
print(json.dumps([model.score(photo)[0], [each[0] for each in told]]))
"""


@pytest.mark.slow
def test_auto_model_and_pipeline_where_aesthetic_tv_is_not_installed(bank, photos, tmp_path):
    scorer = make_taste(bank).merge()
    scorer.push_to_hub("alice/full", token=ALICE)
    cache = tmp_path / "elsewhere"
    result = run_elsewhere(REMOTE, cache, "alice/full", photos[0], photos[1], block=True)
    assert result.returncode == 0, result.stderr
    score, told = json.loads(result.stdout.splitlines()[-1])
    expected = scorer.score(photos[:2])
    assert score == pytest.approx(expected[0], abs=1e-6)
    assert [each["score"] for each in told] == pytest.approx(expected.tolist(), abs=1e-5)
    raw = scorer.score(photos[:2], calibrated=False)
    assert [each["raw_score"] for each in told] == pytest.approx(raw.tolist(), abs=1e-5)


IMPORTED_LATER = """
import sys
from transformers import AutoModel, pipeline
import aesthetic_tv
model = AutoModel.from_pretrained("alice/full")
assert type(model).__module__ == "aesthetic_tv.scorer.modeling_aesthetic_scorer"
assert pipeline("aesthetic-scoring", model="alice/full")(sys.argv[1])[0]["score"] > 0
"""


@pytest.mark.slow
def test_auto_model_and_pipeline_with_aesthetic_tv_imported_after_transformers(
    bank, photos, tmp_path
):
    make_taste(bank).merge().push_to_hub("alice/full", token=ALICE)
    result = run_elsewhere(IMPORTED_LATER, tmp_path / "elsewhere", photos[0])
    assert result.returncode == 0, result.stderr


def test_loading_from_the_hub_pins_the_commit(bank):
    loaded = TaskVectorBank.from_pretrained("alice/bank")
    assert loaded.reference == bank.reference
    assert loaded.revision == HUB.model("alice/bank").branches["main"]
    mine = make_taste(loaded)
    mine.push_to_hub("alice/taste", token=ALICE)
    # The bank moves on; the taste stays with the commit it was made with.
    make_bank(2, size=0.2).push_to_hub("alice/bank", token=ALICE)
    scorer = AestheticScorer.from_pretrained("alice/taste")
    expected = layers_of(mine.merge())
    assert all(torch.equal(layer, expected[k]) for k, layer in layers_of(scorer).items())
    with pytest.raises(BaseMismatchError, match="task0"):
        AestheticScorer.from_pretrained("alice/taste", bank="alice/bank")


def test_another_revision_of_the_base_gives_other_weights_and_is_refused(base, vectors):
    pinned = base.origin[1]
    make_scorer(seed=5).push_to_hub("alice/base", token=ALICE)
    moved = AestheticScorer.from_pretrained("alice/base")
    assert moved.origin[1] != pinned
    first = "head.output.weight"
    assert not torch.equal(layers_of(moved)[first], layers_of(base)[first])
    with pytest.raises(BaseMismatchError, match=rf"(?s)alice/base@{pinned}.*alice/base@"):
        vectors[0].apply(moved)
    with pytest.raises(BaseMismatchError, match=pinned):
        TaskVectorBank(moved, vectors)
    # The revision that the vector names is still there, and is what it is loaded with.
    again = AestheticScorer.from_pretrained("alice/vector0")
    expected = layers_of(vectors[0].apply(base))
    assert all(torch.equal(layer, expected[k]) for k, layer in layers_of(again).items())
    # And a vector that names the wrong revision is refused.
    wrong = replace(vectors[0], base=replace(vectors[0].base, revision=moved.origin[1]))
    wrong.push_to_hub("alice/wrong", token=ALICE)
    with pytest.raises(BaseMismatchError, match=rf"alice/base@{moved.origin[1]}"):
        AestheticScorer.from_pretrained("alice/wrong")


def test_a_base_of_a_clip_checkpoint_and_a_seed_is_found_again(hub, tmp_path, photos):
    make_scorer().vision.save_pretrained(tmp_path / "clip")
    from aesthetic_tv.hub.repos import push

    commit = push(tmp_path / "clip", "alice/clip", token=ALICE).oid
    base = AestheticScorer.from_clip("alice/clip", seed=3)
    vector = TaskVector.from_scorers(base, make_finetuned_like(base))
    assert (vector.base.repo_id, vector.base.revision) == ("alice/clip", commit)
    assert vector.base.head_seed == 3
    vector.push_to_hub("alice/vector", token=ALICE)
    scorer = AestheticScorer.from_pretrained("alice/vector")
    np.testing.assert_array_equal(scorer.score(photos), vector.apply(base).score(photos))


def make_finetuned_like(base: AestheticScorer) -> AestheticScorer:
    finetuned = AestheticScorer(base.config).eval()
    finetuned.load_state_dict(base.state_dict())
    with torch.no_grad():
        finetuned.head.output.bias += 0.1
    return finetuned


def test_a_bank_may_list_its_vectors_by_repo_and_revision(base, vectors):
    bank = TaskVectorBank(base, vectors)
    bank.push_to_hub("alice/listed", token=ALICE, by_reference=True)
    files = HUB.model("alice/listed").files()
    assert not any(name.endswith(".safetensors") for name in files)
    entry = json.loads(files["bank_config.json"])["vectors"][1]
    assert (entry["repo_id"], entry["revision"]) == ("alice/vector1", vectors[1].revision)
    # Upstream moves on; the bank stays with what it pinned.
    (-vectors[1]).push_to_hub("alice/vector1", token=ALICE)
    loaded = TaskVectorBank.from_pretrained("alice/listed")
    assert loaded.reference == bank.reference


def test_only_vectors_from_the_hub_can_be_listed(tiny_bank, tmp_path):
    with pytest.raises(SettingError, match="was not loaded from the Hub"):
        tiny_bank.save_pretrained(tmp_path / "bank", by_reference=True)
    assert not (tmp_path / "bank").exists()


def test_a_listed_vector_that_vanished_or_changed(base, vectors, hub, tmp_path):
    TaskVectorBank(base, vectors).push_to_hub("alice/listed", token=ALICE, by_reference=True)
    config = json.loads(hub.model("alice/listed").files()["bank_config.json"])
    config["vectors"][1]["revision"] = "main"
    hub.model("alice/listed").edit(bank_config__json=json.dumps(config).encode())
    (2 * vectors[1]).push_to_hub("alice/vector1", token=ALICE)
    with pytest.raises(FormatError, match=r"alice/vector1@main.*name the revision"):
        TaskVectorBank.from_pretrained("alice/listed", cache_dir=tmp_path / "cache")
    del hub.repos["model", "alice/vector1"]
    with pytest.raises(HubNotFoundError, match=r"alice/vector1.*not on the Hub"):
        TaskVectorBank.from_pretrained("alice/listed", cache_dir=tmp_path / "empty")


@pytest.mark.parametrize("place", ["/etc", "../../elsewhere", "./bank"])
def test_a_bank_cannot_point_into_someones_disk(base, vectors, hub, place):
    TaskVectorBank(base, vectors).push_to_hub("alice/listed", token=ALICE, by_reference=True)
    config = json.loads(hub.model("alice/listed").files()["bank_config.json"])
    for part in (config["vectors"][0], config["base"]):
        honest = part["repo_id"]
        part["repo_id"] = place
        hub.model("alice/listed").edit(bank_config__json=json.dumps(config).encode())
        with pytest.raises(FormatError, match=r"alice/listed.*refused"):
            TaskVectorBank.from_pretrained("alice/listed")
        part["repo_id"] = honest


def test_a_bank_is_no_scorer(bank):
    with pytest.raises(ScorerError, match=r"alice/bank@.*TaskVectorBank.from_pretrained"):
        AestheticScorer.from_pretrained("alice/bank")


@pytest.mark.parametrize("kind", [TaskVector, TaskVectorBank, Personalization])
def test_a_repo_of_another_kind_is_named(base, kind):
    with pytest.raises(FormatError, match=r"alice/base@.* holds no .*config\.json"):
        kind.from_pretrained("alice/base")


@pytest.mark.parametrize("kind", [TaskVector, TaskVectorBank, Personalization, AestheticScorer])
def test_every_kind_names_a_repo_that_is_not_there(hub, kind, tmp_path):
    with pytest.raises(HubNotFoundError, match="alice/nothing is not on the Hub"):
        kind.from_pretrained("alice/nothing")
    with pytest.raises(HubUnreachableError, match="alice/nothing@v1 is not in the cache"):
        kind.from_pretrained("alice/nothing", revision="v1", local_files_only=True)


def test_a_format_of_the_future_names_the_repo(vectors, hub):
    config = json.loads(hub.model("alice/vector0").files()["task_vector_config.json"])
    config["format_version"] = 99
    hub.model("alice/vector0").edit(task_vector_config__json=json.dumps(config).encode())
    with pytest.raises(FormatError, match=r"alice/vector0@[0-9a-f]{40}.*99.*Upgrade"):
        TaskVector.from_pretrained("alice/vector0")


def test_swapped_files_name_the_repo(vectors, hub):
    other = hub.model("alice/vector1").files()["task_vector.safetensors"]
    hub.model("alice/vector0").edit(task_vector__safetensors=other)
    with pytest.raises(FormatError, match=r"alice/vector0@[0-9a-f]{40}.*fetch both again"):
        TaskVector.from_pretrained("alice/vector0")


def test_a_base_that_is_not_on_the_hub_must_be_given(tiny_bank, hub):
    tiny_bank.vectors[0].push_to_hub("alice/local", token=ALICE)
    with pytest.raises(BaseMismatchError, match="does not say where its base"):
        AestheticScorer.from_pretrained("alice/local")


def test_a_flipped_byte_is_never_a_silently_wrong_scorer(tiny_scorer, tmp_path):
    tiny_scorer.save_pretrained(tmp_path / "s")
    path = tmp_path / "s/model.safetensors"
    whole = path.read_bytes()
    for at in np.linspace(0, len(whole) - 1, 12).astype(int):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x40]) + whole[at + 1 :])
        with pytest.raises(ScorerError, match="hash differs"):
            AestheticScorer.from_pretrained(tmp_path / "s")
    path.write_bytes(whole[:-10])
    with pytest.raises(ScorerError, match="hash differs"):
        AestheticScorer.from_pretrained(tmp_path / "s")


def test_a_scorer_with_renamed_tensors_is_refused(tiny_scorer, tmp_path):
    from safetensors.torch import load_file, save_file

    tiny_scorer.save_pretrained(tmp_path / "s")
    path, config = tmp_path / "s/model.safetensors", tmp_path / "s/config.json"
    tensors = load_file(path)
    tensors["head.elsewhere"] = tensors.pop("head.output.bias")
    save_file(tensors, path, metadata={"format": "pt"})
    config.write_text(json.dumps(json.loads(config.read_text()) | {"weights_sha256": None}))
    with pytest.raises(ScorerError, match=r"missing keys: head\.output\.bias"):
        AestheticScorer.from_pretrained(tmp_path / "s")


def test_a_push_warns_of_a_bank_that_nobody_can_find(tiny_bank, hub):
    with pytest.warns(UserWarning, match="Push the bank first"):
        make_taste(tiny_bank).push_to_hub("alice/taste", token=ALICE)
    with pytest.raises(BaseMismatchError, match="bank="):
        AestheticScorer.from_pretrained("alice/taste")


def test_a_bank_that_is_pushed_later_is_referred_to_all_the_same(tiny_bank, hub):
    mine = make_taste(tiny_bank)
    tiny_bank.push_to_hub("alice/bank", token=ALICE)
    mine.push_to_hub("alice/taste", token=ALICE)
    reference = Personalization.from_pretrained("alice/taste").bank_reference
    assert (reference.repo_id, reference.revision) == ("alice/bank", tiny_bank.revision)


def test_a_failed_push_leaves_no_reference_behind(tiny_bank, hub):
    hub.fault("/commit/", RefusedError(412))
    with pytest.raises(AestheticTVError):
        tiny_bank.push_to_hub("alice/bank", token=ALICE)
    assert tiny_bank.repo_id is None
    assert hub.model("alice/bank").history == [hub.model("alice/bank").branches["main"]]


def test_a_private_repo_is_loaded_with_a_token_and_never_shows_it(hub, tmp_path, capfd):
    make_bank(2).push_to_hub("alice/bank", private=True, token=ALICE)
    loaded = TaskVectorBank.from_pretrained("alice/bank", token=ALICE)
    make_taste(loaded).push_to_hub("alice/taste", private=True, token=ALICE)
    cache = tmp_path / "cache"
    AestheticScorer.from_pretrained("alice/taste", token=ALICE, cache_dir=cache)
    with pytest.raises(HubNotFoundError, match="or it is private"):
        AestheticScorer.from_pretrained("alice/taste", token=False, cache_dir=tmp_path / "other")
    shown = "".join(capfd.readouterr())
    files = [path.read_bytes() for path in cache.rglob("*") if path.is_file()]
    pushed = [*hub.model("alice/bank").files().values(), *hub.model("alice/taste").files().values()]
    assert ALICE not in shown
    assert not any(ALICE.encode() in data for data in files + pushed)


def test_an_unknown_setting_of_a_push_is_refused(tiny_bank, hub):
    with pytest.raises(TypeError, match="privat"):
        tiny_bank.vectors[0].push_to_hub("alice/x", privat=True, token=ALICE)
    assert hub.repos == {}


def test_base_reference_of_a_trained_head_is_no_clip_checkpoint(tiny_scorer):
    tiny_scorer.config.tower_repo_id = "openai/clip"
    tiny_scorer.config.head_seed = None
    assert BaseReference.of(tiny_scorer).repo_id is None
