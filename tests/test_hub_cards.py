"""Cards tell what is known and say what is not; without one, the upload goes on."""

import json
from dataclasses import replace

import numpy as np
import pytest
import yaml
from PIL import Image

from aesthetic_tv import TaskVector, TaskVectorBank, __version__
from aesthetic_tv.errors import SettingError
from aesthetic_tv.personalization import Preferences
from aesthetic_tv.personalization.shared_ratings import preferences_card
from aesthetic_tv.plots import similarity_matrix
from conftest import ALICE, make_bank, make_finetuned
from test_hub_round_trips import FIGURES, make_taste

MISSING_LICENCE = "No licence is given"


def told(thing, folder, repo_id="alice/thing") -> tuple[dict, str]:
    """Head and text of a card."""
    folder.mkdir(exist_ok=True)
    return parts(thing.card(folder, repo_id))


def parts(card: str) -> tuple[dict, str]:
    _, head, text = card.split("---\n", 2)
    return yaml.safe_load(head), text


@pytest.fixture
def vector(tiny_scorer) -> TaskVector:
    tiny_scorer.origin = ("alice/base", "c" * 40)
    return TaskVector.from_scorers(
        tiny_scorer,
        make_finetuned(tiny_scorer, 1),
        name="ava",
        database={"id": "alice/photos", "num_images": 10},
        metrics={"srocc": 0.71},
        license="cc-by-4.0",
    )


def test_the_card_of_a_task_vector(vector, tmp_path):
    head, text = told(vector, tmp_path)
    assert head["library_name"] == "aesthetic-tv"
    assert head["pipeline_tag"] == "image-classification"
    assert (head["base_model"], head["base_model_relation"]) == ("alice/base", "adapter")
    assert head["datasets"] == ["alice/photos"] and head["license"] == "cc-by-4.0"
    (result,) = head["model-index"][0]["results"]
    assert result["metrics"] == [{"type": "spearmanr", "value": 0.71, "name": "srocc"}]
    for shown in ("alice/base", "c" * 40, vector.base.fingerprint, "cc-by-4.0", "| srocc | 0.7100"):
        assert shown in text
    assert 'TaskVector.from_pretrained("alice/thing")' in text
    assert f"aesthetic_tv {__version__}" in text and "transformers" in text


def test_a_missing_licence_is_never_made_up(vector, tmp_path):
    head, text = told(replace(vector, license=None), tmp_path)
    assert "license" not in head and MISSING_LICENCE in text


def test_the_card_of_a_bank_has_a_picture(vector, tmp_path, tiny_scorer):
    other = replace(-vector, name="other", license="cc-by-4.0")
    head, text = told(TaskVectorBank(tiny_scorer, [vector, other]), tmp_path / "bank")
    assert head["license"] == "cc-by-4.0" and head["datasets"] == ["alice/photos"]
    assert "similarity.png" in text and "| other |" in text
    with Image.open(tmp_path / "bank/similarity.png") as picture:
        picture.load()


def test_a_bank_of_several_licences_has_none_of_its_own(vector, tmp_path, tiny_scorer):
    bank = TaskVectorBank(tiny_scorer, [vector, replace(-vector, name="other")])
    head, text = told(bank, tmp_path)
    assert "license" not in head and MISSING_LICENCE in text and "**none given**" in text


def test_the_cards_of_one_person_tell_the_honest_figures(tmp_path):
    bank = make_bank(2)
    bank.repo_id, bank.revision = "alice/bank", "d" * 40
    mine = make_taste(bank)
    for thing, relation in ((mine, "adapter"), (mine.merge(), "merge")):
        head, text = told(thing, tmp_path)
        assert (head["base_model"], head["base_model_relation"]) == ("alice/bank", relation)
        values = [m["value"] for m in head["model-index"][0]["results"][0]["metrics"]]
        assert values == [FIGURES.personal, FIGURES.generic]
        assert FIGURES.verdict in text and "d" * 40 in text
    head, text = told(replace(mine, figures=None), tmp_path)
    assert "model-index" not in head and "too few preferences" in text


def test_an_embedded_or_local_bank_is_no_base_model(tmp_path):
    bank = make_bank(2)
    bank.repo_id = "embedded:tiny"
    assert "base_model" not in told(make_taste(bank), tmp_path)[0]
    bank.repo_id = None
    head, text = told(make_taste(bank), tmp_path)
    assert "base_model" not in head and "pass it as `bank=`" in text


def test_the_card_of_a_base_says_that_its_head_is_random(tiny_scorer, tmp_path):
    assert "The head is random (seed 0)" in told(tiny_scorer, tmp_path)[1]


def test_the_card_of_preferences(tmp_path):
    preferences = Preferences.from_ratings({"a": 1, "b": 3, "c": 5})
    head, text = parts(preferences_card(preferences, tmp_path, "alice/thing"))
    assert head["task_categories"] == ["image-classification"]
    assert "3 photos" in text and "between 1 and" in text and MISSING_LICENCE in text


def test_a_card_that_fails_never_loses_the_upload(vector, hub, monkeypatch):
    def broken(*_):
        raise RuntimeError("no ink")

    monkeypatch.setattr(TaskVector, "card", broken)
    with pytest.warns(UserWarning, match=r"no card.*no ink"):
        vector.push_to_hub("alice/thing", token=ALICE)
    assert "task_vector.safetensors" in hub.model("alice/thing").files()
    assert "README.md" not in hub.model("alice/thing").files()


def test_cards_hold_no_paths_and_no_token(hub, tiny_bank, tmp_path):
    tiny_bank.push_to_hub("alice/bank", token=ALICE)
    text = hub.model("alice/bank").files()["README.md"].decode()
    assert str(tmp_path) not in text and "/tmp" not in text and ALICE not in text
    assert json.loads(hub.model("alice/bank").files()["bank_config.json"])["base"]["path"] == "base"


def test_a_matrix_that_does_not_fit_is_refused(tmp_path):
    with pytest.raises(SettingError, match="2 tasks"):
        similarity_matrix(["a", "b"], np.eye(3), tmp_path / "s.png")
    assert not (tmp_path / "s.png").exists()


def test_the_card_of_a_taste_shows_its_coefficients(tiny_bank, tmp_path):
    _, text = told(make_taste(tiny_bank), tmp_path / "taste")
    assert "](coefficients.png)" in text and "| task0 |" in text
    with Image.open(tmp_path / "taste/coefficients.png") as picture:
        picture.verify()
