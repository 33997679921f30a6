"""The evaluation: figures, going on after a kill, several processes, and the command."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import ModelCard
from typer.testing import CliRunner

from aesthetic_tv.cli import app
from aesthetic_tv.databases import Source, load
from aesthetic_tv.errors import DatabaseError, FormatError, OutputError, ResumeError, SettingError
from aesthetic_tv.evaluation import running
from aesthetic_tv.evaluation.case import Case
from aesthetic_tv.evaluation.methods import METHODS, methods_named
from aesthetic_tv.evaluation.metrics import bootstrap_interval
from aesthetic_tv.evaluation.people import People
from aesthetic_tv.evaluation.photo_pool import DecodedPeople, PhotoPool
from aesthetic_tv.evaluation.results import Results
from aesthetic_tv.evaluation.running import Protocol, evaluate
from aesthetic_tv.evaluation.splits import Split
from aesthetic_tv.evaluation.statistics import is_personal
from aesthetic_tv.finetuning import load_crops, normalize
from aesthetic_tv.personalization import PaperSolver, srocc
from aesthetic_tv.personalization.learned_population import fit_population
from aesthetic_tv.task_vectors import TaskVectorBank
from conftest import make_bank
from evaluation_samples import draw_photos, raters, write_folder

FAST = ("generic", "uniform", "single", "best-fit", "adaptive", "newton", "instant", "ridge")


@pytest.fixture
def people(tmp_path) -> People:
    return raters(draw_photos(tmp_path / "photos", 26), 3, 20)


@pytest.fixture
def short_paper(monkeypatch):
    """The paper's solver with three steps."""
    monkeypatch.setattr(PaperSolver, "__init__", _three_steps(PaperSolver.__init__))


def _three_steps(init):
    def made(self, iterations=3, **settings):
        init(self, iterations=min(iterations, 3), **settings)

    return made


def the_case(bank: TaskVectorBank, people: People) -> Case:
    pool = PhotoPool.of(bank, DecodedPeople.of(people, bank.base.config.tower))
    person = people.persons[0]
    split = Split(person.rows[:8], person.rows[8:])
    return Case(pool, split, person.ratings[:8], people.scale, np.arange(26.0), 0)


def test_what_was_called_generic_in_an_earlier_folder_is_the_mean(tiny_bank, people, tmp_path):
    folder = tmp_path / "out"
    once = evaluate(tiny_bank, people, Protocol((5,), 1, ("mean",)), folder)
    for path in [*(folder / "persons").iterdir(), folder / "evaluation_config.json"]:
        content = json.loads(path.read_text().replace('"mean"', '"generic"'))
        assert content.pop("names") == 2
        content.pop("json_sha256")  # which it did not have then
        path.write_text(json.dumps(content))
    found = Results.load(folder)
    assert found.fits.equals(once.fits) and found.config["methods"] == ["mean"]
    both = evaluate(tiny_bank, people, Protocol((5,), 1, ("generic",)), folder)
    assert set(both.fits["method"]) == {"mean", "generic"}
    assert both.config["methods"] == ["mean", "generic"]


def test_figures_are_those_of_the_scores_on_the_query_set(tiny_bank, people, tmp_path):
    protocol = Protocol((5,), 2, ("generic", "mean"))
    results = evaluate(tiny_bank, people, protocol, tmp_path / "out")
    pixels = normalize(load_crops(people.photos, tiny_bank.base.config.tower))
    scores_of = {
        "generic": tiny_bank.generic_scorer().score_pixels(pixels),
        "mean": tiny_bank.score_pixels(pixels).mean(1),
    }
    assert len(results.fits) == 12
    for fit in results.fits.itertuples():
        scores = scores_of[fit.method]
        person = next(person for person in people.persons if person.name == fit.person)
        query = results.splits.of_person[fit.person][5][fit.draw].query
        truth = dict(zip(person.rows.tolist(), person.ratings.tolist(), strict=True))
        expected = srocc(scores[query], np.array([truth[row] for row in query.tolist()]))
        assert fit.srocc == pytest.approx(expected, abs=1e-5)


def test_every_method_answers_with_a_score_for_each_photo(tiny_bank, people, short_paper):
    pixels = normalize(load_crops(people.photos, tiny_bank.base.config.tower))
    tiny_bank.population = fit_population(tiny_bank, pixels, np.arange(26.0))
    case = the_case(tiny_bank, people)
    for name, method in methods_named([*METHODS, "single"], tiny_bank).items():
        answer = method.answer(case)
        assert answer.support.shape == (8,), name
        assert answer.query.shape == (12,), name
        assert np.isfinite(answer.query).all(), name
        if answer.coefficients is not None:
            assert answer.coefficients.shape == (len(tiny_bank.layers), 3), name


def test_scores_of_the_merged_methods_are_those_of_the_merged_scorer(tiny_bank, people):
    case = the_case(tiny_bank, people)
    for name in ("newton", "adaptive"):
        answer = METHODS[name].answer(case)
        scorer = tiny_bank.merge(answer.coefficients)
        both = scorer.score_pixels(case.pool.pixels(np.arange(26)))
        assert np.allclose(answer.query, both[case.split.query], atol=1e-5)
        assert np.allclose(answer.support, both[case.split.support], atol=1e-5)


def test_methods_that_know_nothing_of_the_person_do_not_look_at_the_ratings(tiny_bank, people):
    case = the_case(tiny_bank, people)
    other = replace(case, ratings=case.ratings[::-1].copy())
    for name, method in methods_named(("generic", "others", "single", "ridge"), tiny_bank).items():
        same = np.array_equal(method.answer(case).query, method.answer(other).query)
        assert same == (not is_personal(name)), name


def test_the_oracle_leaves_the_person_out(people):
    means = people.means_of_others()
    person, *rest = people.persons
    standard = [(x.ratings - x.ratings.mean()) / x.ratings.std() for x in rest]
    row = person.rows[0]
    known = [z[x.rows == row][0] for x, z in zip(rest, standard, strict=True) if row in x.rows]
    assert means[person.name][row] == pytest.approx(np.mean(known) if known else 0)


def test_shuffled_ratings_are_foretold_by_nobody(tiny_bank, tmp_path):
    people = raters(draw_photos(tmp_path / "photos", 40), 40, 30, seed=3)
    methods = ("generic", "newton", "instant", "ridge", "best-fit")
    results = evaluate(tiny_bank, people, Protocol((10,), 1, methods), tmp_path / "out")
    for method, part in results.fits.groupby("method"):
        low, high = bootstrap_interval(part["srocc"].to_numpy(), level=0.99)
        assert low < 0 < high, method


def test_a_killed_run_goes_on_and_gives_the_same(tiny_bank, people, tmp_path, monkeypatch):
    protocol = Protocol((3, 5), 2, ("generic", "ridge", "newton"))
    whole = evaluate(tiny_bank, people, protocol, tmp_path / "whole")
    fits, count = running._Work._fit, 0

    def dies(self, *arguments):
        nonlocal count
        count += 1
        if count == 20:  # within the second of three people
            raise KeyboardInterrupt
        fits(self, *arguments)

    monkeypatch.setattr(running._Work, "_fit", dies)
    with pytest.raises(KeyboardInterrupt):
        evaluate(tiny_bank, people, protocol, tmp_path / "killed")
    assert Results.load(tmp_path / "killed").fits["person"].nunique() == 1
    count = -1000
    resumed = evaluate(tiny_bank, people, protocol, tmp_path / "killed")
    assert count == -1000 + 24  # of 36; the first person's 12 are kept
    columns = [name for name in whole.fits.columns if name != "seconds"]
    assert resumed.fits[columns].equals(whole.fits[columns])


def test_methods_are_added_to_an_evaluation(tiny_bank, people, tmp_path):
    first = evaluate(tiny_bank, people, Protocol((5,), 1, ("ridge",)), tmp_path / "out")
    both = evaluate(tiny_bank, people, Protocol((5,), 1, ("generic",)), tmp_path / "out")
    assert set(both.fits["method"]) == {"ridge", "generic"}
    assert both.config["methods"] == ["ridge", "generic"]
    kept = both.fits[both.fits["method"] == "ridge"].reset_index(drop=True)
    assert kept.equals(first.fits)


def test_an_evaluation_of_other_settings_is_refused_with_the_differences(
    tiny_bank, people, tmp_path
):
    evaluate(tiny_bank, people, Protocol((5,), 1, ("generic",)), tmp_path / "out")
    with pytest.raises(ResumeError, match=r"seed: 0 there, 1 now"):
        evaluate(tiny_bank, people, Protocol((5,), 1, ("generic",), seed=1), tmp_path / "out")


def test_a_folder_of_something_else_is_left_alone(tiny_bank, people, tmp_path):
    with pytest.raises(OutputError, match=r"evaluation_config\.json"):
        evaluate(tiny_bank, people, Protocol((5,), 1, ("generic",)), tmp_path / "photos")


def test_slow_methods_can_be_left_to_some_people_and_draws(
    tiny_bank, people, tmp_path, short_paper
):
    protocol = Protocol((5,), 3, ("generic", "paper"), slow_people=2, slow_trials=1)
    fits = evaluate(tiny_bank, people, protocol, tmp_path / "out").fits
    assert (fits["method"] == "generic").sum() == 9
    paper = fits[fits["method"] == "paper"]
    assert len(paper) == 2
    assert paper["person"].nunique() == 2


@pytest.mark.parametrize(
    ("databases", "kind"),
    [(("sample", "x", "y"), "intra"), (("x", "y", "z"), "cross"), (("x", "y", ""), "unknown")],
)
def test_an_evaluation_says_whether_it_is_within_one_database(
    tiny_bank, people, tmp_path, databases, kind
):
    vectors = [
        replace(vector, database={"id": name} if name else {})
        for vector, name in zip(tiny_bank.vectors, databases, strict=True)
    ]
    bank = TaskVectorBank(tiny_bank.base, vectors)
    results = evaluate(bank, people, Protocol((5,), 1, ("generic",)), tmp_path / "out")
    assert results.config["kind"].startswith(kind)


def test_a_broken_photo_is_left_out_and_named(tiny_bank, people, tmp_path):
    Path(str(people.photos[4])).write_bytes(b"no picture")
    results = evaluate(tiny_bank, people, Protocol((5,), 1, ("generic",)), tmp_path / "out")
    assert results.config["left_out"]["photos"] == 1
    assert people.names[4] not in results.splits.photos


def test_unknown_methods_and_those_the_bank_knows_too_little_for(tiny_bank):
    with pytest.raises(SettingError, match=r"no method 'magic'.*newton"):
        methods_named(["magic"], tiny_bank)
    with pytest.raises(SettingError, match="bank population"):
        methods_named(["population"], tiny_bank)
    with pytest.raises(SettingError, match=r"no task 'x'.*task0"):
        methods_named(["task x"], tiny_bank)


def test_mean_scores_are_nobodys(tmp_path):
    write_folder(tmp_path)
    table = "photo,score\n" + "".join(f"p{i:02d}.png,{i % 5}\n" for i in range(26))
    (tmp_path / "means.csv").write_text(table)
    with pytest.raises(DatabaseError, match="single persons"):
        People.of(load("folder", tmp_path, source=Source("means.csv")))


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_the_command_takes_shots_as_people_write_them(tmp_path):
    folder = write_folder(tmp_path / "album")
    out = tmp_path / "report"
    done = run("evaluate", "--bank", "embedded:tiny", "--people", f"folder:{folder}", "--shots",
               3, 5, "--trials", 1, "--methods", "generic,ridge", "--out", out)  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "5 rated photos" in done.output
    assert set(Results.load(out).fits["shots"]) == {3, 5}


def test_the_command_refuses_photos_that_were_trained_on(tmp_path):
    folder = write_folder(tmp_path / "album")
    done = run("evaluate", "--people", f"folder:{folder}", "--out", tmp_path / "report",
               "--trained-on", f"folder:{folder}")  # fmt: skip
    assert done.exit_code == 2
    assert "26 photos of the people" in done.output
    assert not (tmp_path / "report").exists()


def test_the_command_says_what_people_are_given_as(tmp_path):
    done = run("evaluate", "--people", tmp_path, "--out", tmp_path / "report")
    assert done.exit_code == 2
    assert "DATABASE:FOLDER" in done.output


def test_the_command_says_which_extra_is_missing(tmp_path, monkeypatch):
    folder = write_folder(tmp_path / "album")
    monkeypatch.setitem(sys.modules, "datasets", None)
    for module in [name for name in sys.modules if name.startswith("aesthetic_tv.evaluation.")]:
        monkeypatch.delitem(sys.modules, module)
    done = run("evaluate", "--people", f"folder:{folder}", "--out", tmp_path / "report")
    assert done.exit_code == 2
    assert "pip install 'aesthetic-tv[evaluation]'" in done.output


@pytest.mark.slow
def test_two_processes_find_what_one_does(tmp_path):
    from test_finetuning_processes import environment

    folder = write_folder(tmp_path / "album", people=4)
    options = ["--people", f"folder:{folder}", "--shots", "5", "--trials", "2",
               "--methods", "generic,ridge,instant"]  # fmt: skip
    assert run("evaluate", *options, "--out", tmp_path / "one").exit_code == 0
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node",
              "2", "-m", "aesthetic_tv.evaluation"]  # fmt: skip
    done = subprocess.run(
        [*launch, *options, "--out", str(tmp_path / "two")],
        env=environment(), capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    config = json.loads((tmp_path / "two" / "evaluation_config.json").read_text())
    assert config["num_processes"] == 2
    one, two = (Results.load(tmp_path / name).fits for name in ("one", "two"))
    figures = ["person", "shots", "draw", "method", "srocc", "kendall"]
    assert one[figures].equals(two[figures])


def test_the_report_shows_photos_only_where_they_are_given(tmp_path):
    folder = write_folder(tmp_path / "album")
    out = tmp_path / "report"
    run("evaluate", "--people", f"folder:{folder}", "--shots", "5", "--trials", "2",
        "--methods", "generic,ridge", "--out", out)  # fmt: skip
    assert run("report", out).exit_code == 0
    without = (out / "report.html").read_text()
    assert "served of 3 people" not in without
    assert run("report", out, "--people", f"folder:{folder}").exit_code == 0
    page = (out / "report.html").read_text()
    assert "The best served of 3 people" in page
    assert page.count("data:image/png") == without.count("data:image/png") + 2


def test_a_report_of_no_evaluation(tmp_path):
    done = run("report", tmp_path)
    assert done.exit_code == 2
    assert "evaluation_config.json" in done.output


def test_a_bank_carries_the_figures_of_its_evaluation_into_its_card(tiny_bank, people, tmp_path):
    evaluate(tiny_bank, people, Protocol((5,), 2, ("generic", "ridge")), tmp_path / "out")
    tiny_bank.save_pretrained(tmp_path / "bank")
    done = run("bank", "evaluated", tmp_path / "bank", tmp_path / "out", "--out", tmp_path / "told")
    assert done.exit_code == 0, done.output
    loaded = TaskVectorBank.from_pretrained(tmp_path / "told")
    assert [(x["method"], x["shots"], x["people"]) for x in loaded.evaluations] in (
        [("generic", 5, 3), ("ridge", 5, 3)],
        [("ridge", 5, 3), ("generic", 5, 3)],
    )
    text = loaded.card(tmp_path / "told", "me/bank")
    results = {x.metric_name: x.metric_value for x in ModelCard(text).data.eval_results}
    figures = {f"srocc, {x['method']}, 5 ratings": x["mean"] for x in loaded.evaluations}
    assert results == figures
    assert "| sample | 5 | ridge |" in text


def test_figures_of_another_bank_are_refused(tiny_bank, people, tmp_path):
    evaluate(tiny_bank, people, Protocol((5,), 1, ("generic",)), tmp_path / "out")
    make_bank(2).save_pretrained(tmp_path / "other")
    done = run("bank", "evaluated", tmp_path / "other", tmp_path / "out", "--out", tmp_path / "x")
    assert done.exit_code == 2
    assert "Evaluate this bank" in done.output
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("entries", [3, [3], [{"database": "x"}]])
def test_a_bank_with_figures_that_are_none_is_refused(tiny_bank, tmp_path, entries):
    tiny_bank.save_pretrained(tmp_path / "bank")
    path = tmp_path / "bank" / "bank_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"evaluations": entries}))
    with pytest.raises(FormatError, match="bank_config"):
        TaskVectorBank.from_pretrained(tmp_path / "bank")
