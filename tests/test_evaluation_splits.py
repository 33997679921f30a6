"""Splits: what they keep apart, what they refuse, and that they can be shipped."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from aesthetic_tv.errors import DatabaseError, FormatError, OverlapError, SettingError
from aesthetic_tv.evaluation.duplicates import PhotoHashes
from aesthetic_tv.evaluation.people import People, Person
from aesthetic_tv.evaluation.splits import Split, Splits, refuse_trained_on
from evaluation_samples import draw_photos, raters


@pytest.fixture
def people(tmp_path) -> People:
    return raters(draw_photos(tmp_path / "photos", 24), 4, 20)


def hashes(people: People) -> tuple[list[str], np.ndarray]:
    hashed = PhotoHashes.of(people.photos)
    return [str(digest) for digest in hashed.digests], hashed.groups()


def draw(people: People, shots=(3, 5), trials=4, seed=0) -> Splits:
    return Splits.draw(people, *hashes(people), shots=shots, trials=trials, seed=seed)


def with_twins(people: People, tmp_path) -> People:
    """The same album, where photo 1 is photo 0 under another name, and everyone rated both."""
    twin = tmp_path / "photos" / "again.png"
    shutil.copy(people.photos[0], twin)
    photos = (people.photos[0], str(twin), *people.photos[2:])
    names = (people.names[0], "again.png", *people.names[2:])
    everything = np.arange(len(photos))
    persons = tuple(
        Person(person.name, everything, np.arange(len(photos)) % 5 + 1.0)
        for person in people.persons
    )
    return replace(people, photos=photos, names=names, persons=persons)


def test_support_and_query_share_no_photo_and_are_all_that_the_person_rated(people):
    splits = draw(people)
    for person in people.persons:
        for shots, _, split in splits.cases(person.name):
            assert len(split.support) == shots
            assert sorted([*split.support, *split.query]) == sorted(person.rows)


def test_every_person_size_and_draw_has_a_draw_of_its_own(people):
    same = replace(
        people, persons=tuple(replace(people.persons[0], name=f"twin {i}") for i in range(4))
    )
    splits = draw(same, shots=(5,), trials=5)
    drawn = {tuple(split.support) for name in splits.of_person for *_, split in splits.cases(name)}
    assert len(drawn) > 15  # of 20


def test_the_same_seed_draws_the_same_and_another_one_others(people):
    assert draw(people).digest == draw(people).digest
    assert draw(people).digest != draw(people, seed=1).digest


def test_people_are_split_alike_whoever_else_is_there(people):
    alone = draw(people.select([people.persons[2].name]))
    told = [split.support.tolist() for *_, split in draw(people).cases("person 2")]
    assert [split.support.tolist() for *_, split in alone.cases("person 2")] == told


def test_a_photo_under_two_names_is_never_on_both_sides(people, tmp_path):
    twins = with_twins(people, tmp_path)
    splits = draw(twins, shots=(5,), trials=40)
    sides = [
        ({0, 1} & set(split.support.tolist()), {0, 1} & set(split.query.tolist()))
        for name in splits.of_person
        for *_, split in splits.cases(name)
    ]
    assert any(support for support, _ in sides)
    assert not any(support and query for support, query in sides)


def test_splits_with_a_planted_leak_are_refused_by_the_names_of_both_photos(people, tmp_path):
    twins = with_twins(people, tmp_path)
    splits = draw(twins, shots=(5,), trials=1)
    leaking = Split(np.array([0, 2, 3, 4, 5]), np.array([1, *range(6, 24)]))
    planted = replace(splits, of_person={**splits.of_person, "person 0": {5: [leaking]}})
    planted.save(tmp_path / "splits.json")
    with pytest.raises(OverlapError, match=r"p00\.png = again\.png") as error:
        Splits.load(tmp_path / "splits.json").check(twins, *hashes(twins))
    assert [(pair.first, pair.second) for pair in error.value.overlaps] == [
        ("p00.png", "again.png")
    ]


def test_a_smaller_copy_counts_as_the_same_photo(people, tmp_path):
    from PIL import Image

    copy = tmp_path / "copy.jpg"
    Image.open(people.photos[3]).resize((40, 40)).save(copy, quality=90)
    with pytest.raises(OverlapError, match=r"elsewhere = p03\.png"):
        refuse_trained_on(people, ["elsewhere"], [copy])


def test_photos_of_other_content_were_not_trained_on(people, tmp_path):
    others = draw_photos(tmp_path / "others", 5, seed=9)
    refuse_trained_on(people, [path.name for path in others], others)


def test_splits_come_back_from_their_file(people, tmp_path):
    splits = draw(people)
    splits.save(tmp_path / "splits.json")
    loaded = Splits.load(tmp_path / "splits.json")
    assert loaded.digest == splits.digest
    loaded.check(people, *hashes(people))


def test_a_file_of_splits_holds_no_ratings(people, tmp_path):
    splits = draw(replace(people, scale=(1.0, 777.0), persons=tuple(
        replace(person, ratings=np.where(person.ratings > 3, 777.0, person.ratings))
        for person in people.persons
    )))  # fmt: skip
    splits.save(tmp_path / "splits.json")
    assert (
        "777"
        not in (tmp_path / "splits.json")
        .read_text()
        .replace("".join(splits.sha256), "")
        .split('"people"')[1]
    )


def test_splits_of_photos_that_were_changed_are_refused(people):
    splits = draw(people)
    digests, groups = hashes(people)
    digests[7] = "0" * 64
    with pytest.raises(FormatError, match=r"p07\.png \(1 photos"):
        splits.check(people, digests, groups)


def test_splits_of_photos_that_the_person_did_not_rate_are_refused(people):
    splits = draw(people)
    unrated = np.setdiff1d(np.arange(24), people.persons[0].rows)[:1]
    split = Split(people.persons[0].rows[:5], np.array([*people.persons[0].rows[5:], *unrated]))
    wrong = replace(splits, of_person={"person 0": {5: [split]}})
    with pytest.raises(FormatError, match=r"person 0.*5 shots, draw 0"):
        wrong.check(people, *hashes(people))


def test_people_with_too_few_photos_are_left_out_by_name(people):
    few = Person("in a hurry", people.persons[0].rows[:9], people.persons[0].ratings[:9])
    splits = draw(replace(people, persons=(*people.persons, few)))
    assert "in a hurry" not in splits.of_person
    assert "6 photos to test on beside 3" in splits.left_out["in a hurry"]


def test_people_who_rate_all_alike_are_left_out(people):
    bored = replace(people.persons[0], name="bored", ratings=np.full(20, 3.0))
    splits = draw(replace(people, persons=(*people.persons, bored)))
    assert "different ratings" in splits.left_out["bored"]


def test_nobody_left_is_an_error(people):
    with pytest.raises(DatabaseError, match=r"nobody rated enough.*person 0"):
        draw(people, shots=(15,))


@pytest.mark.parametrize(("shots", "trials"), [((), 1), ((1,), 1), ((5,), 0)])
def test_sizes_that_cannot_be(people, shots, trials):
    with pytest.raises(SettingError, match="shots"):
        draw(people, shots=shots, trials=trials)


@pytest.mark.parametrize("content", ["{}", '{"format_version": 1}', "[", "nothing"])
def test_a_file_that_holds_no_splits(tmp_path, content):
    (tmp_path / "splits.json").write_text(content)
    with pytest.raises(FormatError):
        Splits.load(tmp_path / "splits.json")
