"""Objects that speak: what they print, show in a notebook, hold, and take in."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
import torch
from datasets import Dataset
from PIL import Image

from aesthetic_tv import notebook
from aesthetic_tv.errors import PhotoError, PreferenceError, SettingError
from aesthetic_tv.personalization import (
    Figures,
    InstantFit,
    Personalization,
    Personalizer,
    PhotoFeatures,
    Preferences,
)
from aesthetic_tv.task_vectors import TaskVectorBank
from aesthetic_tv.task_vectors.head_directions import HeadDirections
from aesthetic_tv.task_vectors.population import Population
from aesthetic_tv.task_vectors.task_vector import size_of

RATINGS = [1.0, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2]
IN_MEMORY = ("bytes", "arrays", "tensors", "tensors of 8 bits", "rows")  # have no names to keep


@pytest.fixture
def mine(tiny_bank, photos) -> Personalization:
    return Personalizer(tiny_bank, "instant").fit(dict(zip(photos, RATINGS, strict=True)))


def test_a_bank_tells_its_tasks_base_and_size(tiny_bank):
    assert repr(tiny_bank) == "TaskVectorBank(3 tasks on clip, 301 KB)"
    embedded = TaskVectorBank.from_pretrained("embedded:lite")
    assert repr(embedded) == (
        "TaskVectorBank('embedded:lite', 11 tasks on efficientnet, 192 head directions, "
        "population, 20.9 MB)"
    )
    stored = embedded.vectors[0].layers.stored()
    right = sum(tensor.nbytes for tensor in stored.values())
    assert embedded.vectors[0].nbytes == pytest.approx(right, rel=0.01)
    assert repr(embedded[0]) == f"TaskVector('technical', 151 layers, {size_of(right)} as int3)"
    known = r"Population\(151 layers x 11 tasks, 192 head directions, .* 299 people\)"
    assert re.fullmatch(known, repr(embedded.population))
    assert repr(embedded.directions) == "HeadDirections(192 directions of an embedding 1280 wide)"
    assert "licence" in embedded._repr_html_()


def test_a_bank_is_a_collection_of_its_vectors(tiny_bank):
    assert len(tiny_bank) == 3
    assert list(tiny_bank) == list(tiny_bank.vectors)
    assert tiny_bank["task1"] is tiny_bank[1] is tiny_bank.vectors[1]
    assert "task1" in tiny_bank and tiny_bank[0] in tiny_bank and "cats" not in tiny_bank
    with pytest.raises(SettingError, match="it has task0, task1, task2"):
        tiny_bank["cats"]
    with pytest.raises(IndexError):
        tiny_bank[3]
    assert list(tiny_bank.to_frame().index) == ["task0", "task1", "task2"]


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 bytes"), (999, "999 bytes"), (3_600_000, "3.6 MB"), (4e11, "400 GB")],
)
def test_sizes_are_told_for_people(count, shown):
    assert size_of(count) == shown


def test_a_personalization_tells_ratings_and_both_figures(mine):
    figures = Figures("srocc", 0.484, -0.44, 0.9, (0.1, 1.0), 12, 60)
    shown = dataclasses.replace(mine, figures=figures)
    assert repr(shown) == "Personalization(12 ratings, personal .48, generic -.44)"
    pairs = dataclasses.replace(figures, metric="pair_accuracy", generic=1.0)
    without = dataclasses.replace(mine, figures=pairs, ratings=None)
    assert repr(without) == "Personalization(12 photos, personal .48, generic 1.00, share of pairs)"
    unjudged = dataclasses.replace(mine, figures=None, ratings=None)
    assert repr(unjudged) == "Personalization(3 tasks, not judged)"


def test_preferences_albums_and_fits_tell_what_they_hold(tiny_bank, photos):
    rated = dict(zip(photos[:4], RATINGS, strict=False))
    assert repr(Preferences.of(rated)) == "Preferences(4 ratings from 1 to 4)"
    assert repr(Preferences.of(pairs=[("a", "b")])) == "Preferences(1 compared pair of 2 photos)"
    assert repr(Preferences.of(ranking="abc")) == "Preferences(a ranking of 3 photos)"
    both = Preferences.of(rated, pairs=[(photos[5], photos[6]), (photos[0], photos[6])])
    assert repr(both) == "Preferences(4 ratings from 1 to 4, 2 compared pairs)"
    album = PhotoFeatures.compute(tiny_bank, [*photos, "gone.jpg"])
    size = album.slopes.shape[1]
    assert repr(album) == f"PhotoFeatures(12 photos x {size} coefficients, 1 left out)"
    fit = InstantFit.of(album, rated)
    assert repr(fit) == "InstantFit(4 ratings from 1 to 4, in an album of 12 photos)"
    frame = fit.to_frame()
    assert list(frame["photo"]) == [x.photo for x in fit.ranking()]
    assert frame.set_index("photo")["rating"].dropna().to_dict() == rated
    assert list(album.to_frame().columns) == ["photo", "generic"]
    assert both.to_frame()["rating"].isna().sum() == 2
    for shown in (album, fit):
        assert shown._repr_html_().count("<img") == 12


def test_a_personalization_scores_by_itself_and_merges_once(mine, tiny_bank, photos):
    scores = mine.score(photos)
    np.testing.assert_array_equal(scores, mine.merge().score(photos))
    assert mine.scorer is mine.scorer
    assert mine.score(photos, calibrated=False).max() > scores.max()
    other = dataclasses.replace(mine, coefficients=0 * mine.coefficients)
    assert other.scorer is not mine.scorer
    picture = mine.plot()
    assert isinstance(picture, Image.Image) and picture.width > 300
    frame = mine.to_frame()
    assert frame.shape == (len(tiny_bank.layers), 3)
    assert frame["task1"].mean() == pytest.approx(mine.task_weights()["task1"], abs=1e-6)


def test_a_notebook_shows_photos_verdict_and_weights_and_nothing_from_elsewhere(mine, photos):
    photos[0].unlink()
    html = mine._repr_html_()
    assert html.count("<img") == 11 and html.count("data:image/jpeg;base64,") == 11
    assert "p00.jpg" in html and "task1" in html
    assert mine.figures is not None and mine.figures.verdict in html
    assert not re.search(r"https?://|<script|javascript|<link", html)
    assert len(html) < 100_000


def test_names_are_escaped_and_contact_sheets_have_an_end(tmp_path, tiny_bank, photos):
    evil = "<script>alert(1)</script>"
    vectors = [dataclasses.replace(tiny_bank.vectors[0], name=evil)]
    assert evil not in TaskVectorBank(tiny_bank.base, vectors)._repr_html_()
    sheet = notebook.contact_sheet([f"{evil}.jpg", tmp_path, *photos * 5], [evil] * 62)
    assert evil not in sheet
    assert sheet.count("<img") == notebook.SHOWN - 2
    assert "and 38 more" in sheet
    assert evil not in notebook.bars({evil: 1.0, "b": -2.0, "c": 0.0})
    assert "and 6 more" in notebook.bars({str(k): k for k in range(30)})


def test_a_photo_that_is_no_photo_has_no_thumbnail(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no photo")
    for photo in (
        tmp_path / "a.jpg",
        tmp_path,
        tmp_path / "gone.jpg",
        "a\0b",
        "https://a.org/b.jpg",
    ):
        assert notebook.thumbnail(photo) is None


def as_people_have_them(photos):
    arrays = [np.asarray(Image.open(photo)) for photo in photos]
    tensors = [torch.from_numpy(array.copy()).permute(2, 0, 1) for array in arrays]
    names = [str(photo) for photo in photos]
    table = pd.DataFrame({"taken": 2024, "File": names, "Stars": RATINGS})
    rows = [
        {"image": Image.open(photo), "score": y} for photo, y in zip(photos, RATINGS, strict=True)
    ]
    pairs = np.array([[name, y] for name, y in zip(names, RATINGS, strict=True)], dtype=object)
    return {
        "mapping": dict(zip(names, RATINGS, strict=True)),
        "series": pd.Series(RATINGS, index=names),
        "frame": table,
        "tuples": list(zip(photos, RATINGS, strict=True)),
        "array of two columns": pairs,
        "bytes": [(photo.read_bytes(), y) for photo, y in zip(photos, RATINGS, strict=True)],
        "arrays": list(zip(arrays, RATINGS, strict=True)),
        "tensors of 8 bits": list(zip(tensors, RATINGS, strict=True)),
        "tensors": [(x.float() / 255, y) for x, y in zip(tensors, RATINGS, strict=True)],
        "rows": rows,
        "data set": Dataset.from_list(
            [
                {"photo": {"bytes": None, "path": name}, "rating": y}
                for name, y in zip(names, RATINGS, strict=True)
            ]
        ),
    }  # fmt: skip


def test_ratings_come_as_people_have_them(tiny_bank, photos):
    personalizer = Personalizer(tiny_bank, "instant", folds=0)
    given = as_people_have_them(photos)
    right = personalizer.fit(given["mapping"])
    for name, ratings in given.items():
        found = personalizer.fit(ratings)
        torch.testing.assert_close(found.coefficients, right.coefficients, msg=name)
        assert (found.ratings is None) == (name in IN_MEMORY)


def test_tensors_score_like_the_photos_and_are_found_in_an_album(tiny_bank, photos):
    scorer = tiny_bank.generic_scorer()
    arrays = [np.asarray(Image.open(photo)) for photo in photos]
    tensors = torch.stack([torch.from_numpy(array.copy()).permute(2, 0, 1) for array in arrays])
    right = scorer.score(photos)
    np.testing.assert_array_equal(scorer.score(tensors), right)
    np.testing.assert_array_equal(scorer.score(list(tensors.float() / 255)), right)
    np.testing.assert_allclose(scorer.score(tensors[0]), right[:1], rtol=1e-6)
    album = PhotoFeatures.compute(tiny_bank, tensors)
    fit = InstantFit.of(album, [(tensors[2].float() / 255, 5), (tensors[7], 1)])
    np.testing.assert_array_equal(fit.support, [2, 7])
    with pytest.raises(PhotoError, match=r"values from 0 to 255"):
        scorer.score(tensors[0].float())


def test_a_photo_on_the_web_is_left_out_unless_asked_for(tiny_bank, photos, monkeypatch):
    asked = []

    def fetch(url):
        asked.append(url)
        if "gone" in url:
            raise PhotoError(f"{url}: the server answered 404.")
        return photos[-1].read_bytes()

    monkeypatch.setattr("aesthetic_tv.personalization.personalizer.fetch_photo", fetch)
    rated = [*zip(photos[:6], RATINGS, strict=False)]
    rated += [("https://a.org/p.jpg", 4.0), ("https://a.org/gone.jpg", 2.0)]
    personalizer = Personalizer(tiny_bank, "instant", folds=0)
    with pytest.warns(UserWarning, match="2 rated photos"):
        without = personalizer.fit(rated)
    assert asked == [] and "allow_urls=True" in without.skipped["https://a.org/p.jpg"]
    with pytest.warns(UserWarning, match="1 rated photos"):
        fetched = personalizer.fit(rated, allow_urls=True)
    assert len(asked) == 2
    gone = "https://a.org/gone.jpg"
    assert fetched.skipped == {gone: f"{gone}: the server answered 404."}
    right = personalizer.fit([*rated[:6], (photos[-1], 4.0)])
    torch.testing.assert_close(fetched.coefficients, right.coefficients)


def test_a_frame_without_pandas_says_what_to_install(tiny_bank, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(SettingError, match="pip install pandas"):
        tiny_bank.to_frame()


def test_populations_and_directions_tell_themselves():
    plain = Population(torch.zeros(4, 2), 1.0, 0.0, {"num_people": 0})
    assert repr(plain) == "Population(4 layers x 2 tasks, learned from mean scores)"
    codes = torch.zeros(2, 5, dtype=torch.uint8)
    directions = HeadDirections(torch.zeros(3), codes, torch.ones(2), torch.zeros(5))
    assert repr(directions) == "HeadDirections(2 directions of an embedding 5 wide)"


def test_columns_that_tell_nothing_are_refused():
    with pytest.raises(PreferenceError, match="name no photos"):
        Preferences.of(pd.DataFrame({"who": ["a"], "rating": [1]}))
