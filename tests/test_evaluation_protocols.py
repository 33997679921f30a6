"""Protocols that others publish figures by: what they fix, refuse, and say of themselves."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from aesthetic_tv.cli import app
from aesthetic_tv.databases import load
from aesthetic_tv.errors import DatabaseError, FormatError, SettingError
from aesthetic_tv.evaluation.people import People, Person, enough, people_of
from aesthetic_tv.evaluation.protocol import PROTOCOLS, Protocol, protocol_named
from aesthetic_tv.evaluation.results import Results
from aesthetic_tv.evaluation.running import evaluate
from aesthetic_tv.evaluation.splits import Split, Splits
from database_samples import table, write
from evaluation_samples import draw_photos, raters

SMALL = {  # the same layouts, on a scale that tests can afford
    "flickr-aes": {"shots": (3, 8), "trials": 2, "people": 4, "least_query": 3},
    "ryu-yanaka": {"shots": (3, 8), "trials": 1, "people": 4, "query": 6, "least_ratings": 18},
    "pamela": {"shots": (3, 5), "trials": 2},
}


@pytest.fixture
def small(monkeypatch):
    for name, settings in SMALL.items():
        monkeypatch.setitem(PROTOCOLS, name, replace(PROTOCOLS[name], settings=settings))


def run(*arguments):
    bank = () if "report" in arguments else ("--bank", "embedded:tiny")
    return CliRunner().invoke(app, [*map(str, arguments), *bank], env={"COLUMNS": "140"})


def rating(who: int, photo: int) -> int:
    return 1 + (7 * who + photo * photo) % 5


def flickr_aes(folder: Path, listed: int = 4) -> Path:
    """Four test workers who label 14 photos each, and two others."""
    names = [path.name for path in draw_photos(folder / "40K", 16)]
    votes = [(f"A{w}", names[(n + w) % 16], rating(w, n)) for w in range(6) for n in range(14)]
    ids = "".join(f"A{w}\n" for w in range(listed))
    header = "worker, imagePair, score"
    files = {
        "FLICKR-AES_image_labeled_by_each_worker.csv": table(header, votes),
        "FLICKR-AES_image_score.txt": "".join(f"{name} 0.5\n" for name in names),
        "test_workers_ID.csv": "ID\n" + ids,
    }
    return write(folder, files)


def lapis(folder: Path, people: int = 6, rated: int = 19) -> Path:
    """People who rate `rated` of 20 artworks, and one who rates 5."""
    names = [path.name for path in draw_photos(folder / "images", 20)]
    for part, some in (("Train", names[:16]), ("Val", names[16:18]), ("Test", names[18:])):
        rows = [(n, name, 40 + n) for n, name in enumerate(some)]
        text = table("image_id,image_filename,mean_response", rows)
        write(folder, {f"annotation/LAPIS_GIAA_{part}split.csv": text})
    votes = [
        (f"p{who}", n, names[n], 20 * rating(who, n) - 10)
        for who in range(people + 1)
        for n in range(rated if who else 5)
    ]
    header = "participant_id,image_id,image_filename,rating"
    return write(folder, {"annotation/LAPIS_PIAA.csv": table(header, votes)})


def pamela(folder: Path) -> Path:
    """Two seen people, an unseen one of the test, and one of the validation."""
    names = [path.name for path in draw_photos(folder / "images", 24)]
    parts = {
        "train": {who: range(9) for who in (1, 2)},
        "val_seen": {who: range(9, 12) for who in (1, 2)},
        "val_unseen": {3: range(24)},
        "test_seen": {who: range(12, 24) for who in (1, 2)},
        "test_unseen": {4: range(2, 20)},
    }
    for part, raters_of in parts.items():
        rows = [
            {
                "participant_id": f"p{who}",
                "image_id": n,
                "image_path": f"./images/{names[n]}",
                "original_score": rating(who, n),
            }
            for who, photos in raters_of.items()
            for n in photos
        ]
        write(folder, {f"annotations/pamela_{part}.json": json.dumps(rows)})
    return folder


WRITERS = {
    "flickr-aes": ("flickr-aes", flickr_aes),
    "ryu-yanaka": ("lapis", lapis),
    "pamela": ("pamela", pamela),
}


def asked(name: str, folder: Path, out: Path, *more) -> tuple:
    database, writer = WRITERS[name]
    return ("evaluate", "--protocol", name, "--people", f"{database}:{writer(folder)}",
            "--methods", "generic,ridge", "--out", out, *more)  # fmt: skip


@pytest.fixture
def people(tmp_path) -> People:
    return raters(draw_photos(tmp_path / "photos", 24), 4, 20)


def test_the_layouts_are_those_of_the_papers():
    ryu = Protocol.named("ryu-yanaka")
    assert (ryu.people, ryu.least_ratings, ryu.shots, ryu.query) == (200, 160, (10, 100), 50)
    assert "ridge" in ryu.methods
    flickr = Protocol.named("flickr-aes")
    assert (flickr.people, flickr.shots, flickr.trials, flickr.query) == (37, (10, 100), 10, None)
    assert Protocol.named("pamela", methods=("ridge",)).methods == ("ridge",)
    assert protocol_named("pamela").metrics == ("srocc", "plcc")


def test_an_unknown_protocol_names_those_there_are(tmp_path):
    with pytest.raises(SettingError, match=r"(?s)no protocol 'mine'.*ryu-yanaka: 200 random"):
        Protocol.named("mine")
    done = run("evaluate", "--protocol", "mine", "--people", "para:x", "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "flickr-aes: the 37 test workers" in done.output


def test_no_protocol_can_be_made_under_the_name_of_another():
    with pytest.raises(SettingError, match=r"ryu-yanaka has shots 10 and 100, not 5"):
        Protocol(shots=(5,), trials=1, people=200, query=50, least_ratings=160,
                 protocol="ryu-yanaka")  # fmt: skip
    with pytest.raises(SettingError, match="seed 0, not 3"):
        Protocol.named("pamela", seed=3)
    with pytest.raises(SettingError, match="query, least_query"):
        Protocol(query=1)


def hashes(people: People) -> tuple[list[str], np.ndarray]:
    return [f"{n:064x}" for n in range(len(people.photos))], np.arange(len(people.photos))


def test_a_query_set_of_a_size_is_drawn_from_all_that_is_left(people):
    splits = Splits.draw(people, *hashes(people), shots=(5,), trials=30, query=4)
    drawn = [split for *_, split in splits.cases("person 0")]
    assert {len(split.query) for split in drawn} == {4}
    assert {*np.concatenate([split.query for split in drawn])} == {*people.persons[0].rows}
    whole = Splits.draw(people, *hashes(people), shots=(5,), trials=30)
    for one, all_of_it in zip(drawn, [s for *_, s in whole.cases("person 0")], strict=True):
        assert np.array_equal(one.support, all_of_it.support)
        assert set(one.query) < set(all_of_it.query)


def test_people_with_too_few_photos_for_the_query_set_are_left_out(people):
    few = Person("few", people.persons[0].rows[:10], people.persons[0].ratings[:10])
    known = replace(people, persons=(*people.persons, few))
    splits = Splits.draw(known, *hashes(known), shots=(5,), trials=1, query=6)
    assert "5 photos to test on beside 5" in splits.left_out["few"]
    splits = Splits.draw(known, *hashes(known), shots=(5,), trials=1, least_query=5)
    assert len(splits.of_person["few"][5][0].query) == 5
    with pytest.raises(SettingError, match="1 photos to test on"):
        Splits.draw(known, *hashes(known), shots=(5,), trials=1, query=1)


def test_photos_that_are_only_tested_on_are_never_fitted_on(people, tmp_path):
    person = people.persons[0]
    held = replace(person, tested=person.rows[8:], group="seen")
    known = replace(people, persons=(held, *people.persons[1:]))
    digests, groups = hashes(known)
    splits = Splits.draw(known, digests, groups, shots=(5,), trials=9)
    for *_, split in splits.cases("person 0"):
        assert set(split.support) <= set(person.rows[:8])
        assert np.array_equal(split.query, np.sort(person.rows[8:]))
    splits.save(tmp_path / "splits.json")
    loaded = Splits.load(tmp_path / "splits.json")
    assert loaded.group_of == {"person 0": "seen"}
    assert loaded.digest == splits.digest
    leaking = {5: [Split(person.rows[4:9], person.rows[9:])]}
    with pytest.raises(FormatError, match="only to be tested on"):
        replace(splits, of_person={"person 0": leaking}).check(known, digests, groups)
    groups = np.where(np.isin(groups, person.rows[7:9]), person.rows[7], groups)  # a twin
    splits = Splits.draw(known, digests, groups, shots=(8,), trials=1)
    assert person.rows[8] not in splits.of_person["person 0"][8][0].query
    lost = known.without({int(person.rows[8]): "broken"}).persons[0]
    assert len(lost.tested) == 11
    assert {*lost.tested} <= {*lost.rows}


def test_200_of_those_with_160_ratings_are_tested_on_50():
    rows = np.arange(165)
    persons = [
        Person(
            f"p{i}", rows[: 160 if i < 205 else 159], (rows[: 160 if i < 205 else 159] * i) % 5.0
        )
        for i in range(1, 210)
    ]
    names = tuple(f"{n}.png" for n in rows)
    people = People(names, names, tuple(persons), (0, 4), "para")
    protocol = Protocol.named("ryu-yanaka")
    known = enough(people, protocol)
    assert len(known) == 204
    chosen = known.sample(protocol.people, protocol.seed)
    splits = Splits.draw(chosen, *hashes(people), shots=protocol.shots, trials=1, query=50)
    sizes = {(n, len(s.query)) for name in splits.of_person for n, _, s in splits.cases(name)}
    assert sizes == {(10, 50), (100, 50)}
    assert len(splits.of_person) + len(splits.left_out) == 200
    with pytest.raises(DatabaseError, match=r"199 of 204 people rated 160.*takes 200"):
        enough(replace(people, persons=tuple(persons[5:])), protocol)


@pytest.mark.parametrize("name", list(SMALL))
def test_a_protocol_is_run_resumed_and_told(small, tmp_path, name):
    out = tmp_path / "out"
    done = run(*asked(name, tmp_path / "data", out))
    assert done.exit_code == 0, done.output
    assert f"Protocol {name}: " in done.output
    results = Results.load(out)
    assert results.config["protocol"] == name
    assert set(results.fits["shots"]) == set(SMALL[name]["shots"])
    assert results.fits["draw"].max() == SMALL[name]["trials"] - 1
    assert results.config["num_people"] == {"pamela": 3}.get(name, 4)
    before = results.fits
    again = run(*asked(name, tmp_path / "data", out))
    assert again.exit_code == 0, again.output
    assert Results.load(out).fits.equals(before)
    other = asked(name, tmp_path / "data", out)
    unnamed = [*other[:1], *other[3:], "--shots", "3"]
    refused = run(*unnamed)
    assert refused.exit_code == 2
    assert f"protocol: '{name}' there, None now" in refused.output
    assert run("report", out).exit_code == 0
    page = (out / "report.md").read_text()
    assert f"Protocol {name}" in page
    if name == "flickr-aes":
        assert "0.668" in done.output
        assert "published SROCC" in page
    else:
        assert "not at hand" in done.output
        assert "published SROCC" not in page
    if name == "ryu-yanaka":
        sizes = [
            len(s.query) for p in results.splits.of_person for *_, s in results.splits.cases(p)
        ]
        assert set(sizes) == {6}
        assert "p0" not in results.splits.of_person
    if name == "pamela":
        assert "3 rated photos, unseen people" in done.output
        assert "PLCC" in done.output
        assert "unseen" in page


def test_seen_people_of_pamela_are_tested_on_new_images_and_unseen_ones_on_the_rest(
    small, tiny_bank, tmp_path
):
    database = load("pamela", pamela(tmp_path / "data"), per_person=True)
    people = people_of(protocol_named("pamela"), database)
    protocol = Protocol.named("pamela", methods=("generic",))
    results = evaluate(tiny_bank, people, protocol, tmp_path / "out")
    splits = results.splits
    assert splits.group_of == {"p1": "seen", "p2": "seen", "p4": "unseen"}
    for name in ("p1", "p2"):
        for *_, split in splits.cases(name):
            assert {splits.photos[row] for row in split.support} <= {
                f"p{n:02d}.png" for n in range(9)
            }
            assert [splits.photos[row] for row in split.query] == [
                f"p{n}.png" for n in range(12, 24)
            ]
    for shots, _, split in splits.cases("p4"):
        both = {splits.photos[row] for row in (*split.support, *split.query)}
        assert both == {f"p{n:02d}.png" for n in range(2, 20)}
        assert len(split.query) == 18 - shots
    fits = results.fits_of_groups
    assert {group: set(part["person"]) for group, part in fits.items()} == {
        "seen": {"p1", "p2"},
        "unseen": {"p4"},
    }
    with pytest.raises(SettingError, match="takes the people of one part"):
        evaluate(tiny_bank, People.of(database), protocol, tmp_path / "other")
    with pytest.raises(SettingError, match="draws its splits"):
        evaluate(tiny_bank, people, protocol, tmp_path / "other", splits=splits)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--shots", "5", "10"), "shots 3 and 8, not 5 and 10"),
        (("--trials", "3"), "trials 1, not 3"),
        (("--limit", "2"), "people (--limit) 4, not 2"),
        (("--part", "test"), "part all, not test"),
        (("--seed", "1"), "seed 0, not 1"),
        (("--splits", "x.json"), "leave --splits out"),
    ],
)
def test_options_that_contradict_the_protocol_are_refused(small, tmp_path, options, told):
    done = run("evaluate", "--protocol", "ryu-yanaka", "--people", f"lapis:{tmp_path}", "--out",
               tmp_path / "out", *options)  # fmt: skip
    assert done.exit_code == 2
    assert told in done.output
    assert not (tmp_path / "out").exists()


def test_options_that_say_the_same_as_the_protocol_are_no_contradiction(small, tmp_path):
    done = run(*asked("ryu-yanaka", tmp_path / "data", tmp_path / "out"), "--shots", 3, 8,
               "--limit", 4, "--trials", 1, "--part", "all", "--slow-people", 2)  # fmt: skip
    assert done.exit_code == 0, done.output


def test_a_database_of_another_protocol_is_refused(tmp_path):
    done = run("evaluate", "--protocol", "ryu-yanaka", "--people", f"folder:{tmp_path}", "--out",
               tmp_path / "out")  # fmt: skip
    assert done.exit_code == 2
    assert "measured on para or lapis, not on folder" in done.output


@pytest.mark.parametrize(
    ("name", "write_less", "told"),
    [
        ("ryu-yanaka", lambda f: lapis(f, people=3), "3 of 4 people rated 18 photos or more"),
        ("ryu-yanaka", lambda f: lapis(f, rated=17), "0 of 7 people rated 18 photos or more"),
        ("flickr-aes", lambda f: flickr_aes(f, listed=3), "3 of 3 people can be tested"),
        ("flickr-aes", lambda f: flickr_aes(f, listed=5), "takes the people of one part"),
    ],
)
def test_too_few_people_or_ratings_are_told(small, tmp_path, name, write_less, told):
    folder = write_less(tmp_path / "data")
    done = run("evaluate", "--protocol", name, "--people", f"{WRITERS[name][0]}:{folder}", "--out",
               tmp_path / "out")  # fmt: skip
    assert done.exit_code == 2
    assert told in done.output
    assert not (tmp_path / "out").exists()


def test_test_workers_that_cannot_be_told_are_not_guessed(small, tmp_path):
    folder = flickr_aes(tmp_path / "data")
    (folder / "test_workers_ID.csv").unlink()
    done = run("evaluate", "--protocol", "flickr-aes", "--people", f"flickr-aes:{folder}", "--out",
               tmp_path / "out")  # fmt: skip
    assert done.exit_code == 2
    assert "cannot be told here" in done.output


def test_an_evaluation_from_before_there_were_protocols_goes_on(tiny_bank, people, tmp_path):
    settings = Protocol((5,), 1, ("generic",))
    evaluate(tiny_bank, people, settings, tmp_path / "out")
    path = tmp_path / "out" / "evaluation_config.json"
    config = json.loads(path.read_text())
    for key in ("query", "least_query", "least_ratings", "protocol"):
        assert config.pop(key) is None
    del config["json_sha256"]
    path.write_text(json.dumps(config))
    assert len(Results.load(tmp_path / "out").fits) == 4
    assert len(evaluate(tiny_bank, people, settings, tmp_path / "out").fits) == 4
