"""Handlers of the other tabs: photos, figures, why, scoring, files and the Hub."""

from collections.abc import Callable
from pathlib import Path

import gradio as gr
import numpy as np

from aesthetic_tv import plots
from aesthetic_tv.app import words
from aesthetic_tv.app.album import Uploads, Views
from aesthetic_tv.app.answers_on_disk import read_files
from aesthetic_tv.app.keeping import emptied, push_taste, write_files
from aesthetic_tv.app.page import OWN, Page
from aesthetic_tv.app.rating import Rating, Updates
from aesthetic_tv.app.session import agreement_by_count
from aesthetic_tv.app.taste import Polished, scores_of
from aesthetic_tv.app.visits import Visit, Visits
from aesthetic_tv.errors import AestheticTVError


class Tabs:
    """What the other tabs show of a visit.

    Args:
        page: the components.
        visits: of the app.
        rating: the first tab, which changes with them.
    """

    def __init__(self, page: Page, visits: Visits, rating: Rating):
        self.page = page
        self.visits = visits
        self.rating = rating

    def upload(self, visit: Visit, files: list[str] | None, mode: str, order: str) -> Updates:
        """Photos for the album arrived."""
        page, session = self.page, visit.session
        added, refused = session.upload(files or [])
        self._sweep()
        parts = [f"{len(added)} added."] if added else []
        parts += [words.refused(refused)] if refused else []
        return {
            page.upload: None,
            page.uploaded: "\n\n".join(parts),
            page.album: words.album(session, self.visits.settings),
            page.scope: gr.Radio(visible=bool(session.uploads.paths)),
            page.timer: gr.Timer(active=True),
            **self.rating.scene(visit, mode, order),
        }

    def scope(self, visit: Visit, scope: str, mode: str, order: str) -> Updates:
        """Ask about all photos, or the visitor's own alone."""
        visit.session.scope = "own" if scope == OWN else "all"
        return self.rating.scene(visit, mode, order)

    def better(self, visit: Visit) -> Updates:
        """Figures, and the pictures behind them."""
        session, page = visit.session, self.page
        pictures = list[tuple[str, str]]()
        taste = session.taste()
        if taste is not None:
            folder = self._pictures(visit)
            names = [taste.names[row] for row in taste.scope]
            mine, generic = taste.scores[taste.scope], taste.fit.album.scores[taste.scope]
            plots.rank_change(names, mine.tolist(), generic.tolist(), folder / "ranks.png")
            pictures.append((str(folder / "ranks.png"), "From one taste for all to yours"))
            plots.score_histograms({"personal": mine, "generic": generic}, folder / "scores.png")
            pictures.append((str(folder / "scores.png"), "Scores of the album"))
            counts, curves = agreement_by_count(session)
            if len(counts) > 1:
                plots.ratings_curve(counts, curves, folder / "curve.png")
                pictures.append((str(folder / "curve.png"), "By number of ratings"))
        return {
            page.figures: words.figures(session.figures(), session.answers),
            page.pictures: gr.Gallery(pictures, visible=bool(pictures)),
        }

    def why(self, visit: Visit) -> Updates:
        """Weights of the tasks, and coefficients by layer and task."""
        taste, page = visit.session.taste(), self.page
        updates: Updates = {page.weights: words.weights(taste)}
        if taste is not None:
            path = self._pictures(visit) / "coefficients.png"
            bank = taste.fit.album.bank
            alpha, _ = bank.layout.split(taste.fit.fit.coefficients)
            plots.coefficient_map(bank.layers, bank.names, alpha, path)
            updates[page.heat_map] = gr.Image(str(path), visible=True)
        return updates

    def polish(
        self,
        visit: Visit,
        mode: str,
        order: str,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Updates:
        """From the quick estimate to the exact scorer."""
        try:
            mine = self._polished(visit, progress)
        except AestheticTVError as error:
            return {self.page.polished: words.error(error)}
        exact = "The album is in its exact order now." if mine.scores else ""
        updates = self.rating.lists(visit, order)
        return {
            self.page.polished: f"**Polished.** {exact} Rate more, and polish again.",
            **updates,
        }

    def score(
        self,
        visit: Visit,
        files: list[str] | None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Updates:
        """Photos to score arrived."""
        page = self.page
        if not files:
            return {page.scored_text: gr.skip()}
        folder = emptied(visit.folder / "scored")
        settings = self.visits.settings
        uploads = Uploads(folder, Views(emptied(visit.served / "scored")), settings)
        _, refused = uploads.add(files)
        self._sweep()
        text = [words.refused(refused)] if refused else []
        shown = []
        try:
            mine = self._polished(visit, progress)
            raw = scores_of(mine.scorer, list(uploads.paths.values()), _bar(progress))
            shown = self._scored(mine, uploads, raw)
        except AestheticTVError as error:
            text.append(words.error(error))
        if shown:
            text.insert(0, f"**{len(shown)} scored by your own scorer.**")
        return {
            page.score_upload: None,
            page.scored_text: "\n\n".join(text),
            page.scored: gr.Gallery(shown, visible=bool(shown)),
        }

    def _scored(
        self, mine: Polished, uploads: Uploads, raw: dict[str, float]
    ) -> list[tuple[str, str]]:
        album = np.array(list(mine.scores.values()))
        names = {path: name for name, path in uploads.paths.items()}
        shown = []
        for path in sorted(raw, key=lambda path: -raw[path]):
            name = names[path]
            stars = float(mine.scorer.calibrate(np.array([raw[path]]))[0])
            place = float((album < raw[path]).mean()) if len(album) else None
            on_stars = mine.personalization.calibration is not None
            view = uploads.views.thumbnail(path)
            if view is not None:
                shown.append((view, words.new_photo(name, stars, place, on_stars)))
        return shown

    def files(self, visit: Visit) -> Updates:
        """What there is to take home so far."""
        written = write_files(visit.session, visit.served / "files")
        answers, page = visit.session.answers, self.page
        text = (
            "Rate a few photos first."
            if not written
            else words.how_many(answers).capitalize() + "."
        )
        made = any(path.suffix == ".zip" for path in written)
        if written and not made:
            text += " Your scorer itself is polished first, which takes a moment:"
        return {
            page.files_text: text,
            page.files: gr.File([str(path) for path in written] or None, visible=bool(written)),
            page.make_taste: gr.Button(visible=not made),
        }

    def make_taste(
        self,
        visit: Visit,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Updates:
        """Polish, so that the taste is among the files."""
        try:
            self._polished(visit, progress)
        except AestheticTVError as error:
            return {self.page.files_text: words.error(error)}
        return self.files(visit)

    def load(self, visit: Visit, files: list[str] | None, mode: str, order: str) -> Updates:
        """Ratings from before arrived."""
        page, session = self.page, visit.session
        try:
            answers = read_files(files or [])
        except AestheticTVError as error:
            return {
                page.load: None,
                page.loaded: words.error(error, "Not loaded."),
            }
        finally:
            self._sweep()
        session.tell(answers)
        absent = len(answers.known - session.paths.keys())
        message = f"{words.how_many(answers).capitalize()}. Go on rating."
        if absent:
            message += f" {absent} of these photos are not here; add them, and they count."
        self._judge_later(visit)
        return {
            page.load: None,
            page.loaded: message,
            **self.rating.scene(visit, mode, order),
            **self.files(visit),
        }

    def push(
        self, visit: Visit, repo: str, private: bool, token: str | None, progress: gr.Progress
    ) -> Updates:
        """Push the polished taste to the Hub."""
        on_page = self.visits.settings.hub
        try:
            mine = self._polished(visit, progress).personalization
            message = push_taste(mine, repo, private=private, token=token, on_page=on_page)
        except AestheticTVError as error:
            message = words.error(error, "Not pushed.")
        return {self.page.pushed: message}

    def _polished(self, visit: Visit, progress: gr.Progress) -> Polished:
        return visit.session.polish(_bar(progress))

    def _judge_later(self, visit: Visit) -> None:
        visit.verdict = ""

    def _pictures(self, visit: Visit) -> Path:
        folder = visit.served / "pictures"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _sweep(self) -> None:
        """Delete the empty files that the server leaves behind for each upload."""
        for left in self.visits.received.iterdir():
            if left.is_file() and left.stat().st_size == 0:
                left.unlink(missing_ok=True)


def _bar(progress: gr.Progress) -> Callable[[str, int, int], None]:
    return lambda stage, done, total: progress((done, total), desc=stage)
