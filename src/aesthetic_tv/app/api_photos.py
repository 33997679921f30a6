"""What the page sends as files: photos for the album, photos to score, ratings from before.

| request | answer |
|---|---|
| `POST /api/photos` | photos that were added, and why others were not |
| `POST /api/score` | photos that were not rated, scored by the person's own scorer, best first |
| `POST /api/score?more=1` | the next of the same choice: those before them stay to be seen |
| `POST /api/load` | ratings, comparisons or picks from before |
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from aesthetic_tv.app import words
from aesthetic_tv.app.album import Uploads
from aesthetic_tv.app.answers_on_disk import read_files as read_answers
from aesthetic_tv.app.api import Route, mode_of, scope_of, visit_of
from aesthetic_tv.app.incoming import RequestError, read_files
from aesthetic_tv.app.keeping import emptied
from aesthetic_tv.app.quiet import Quiet
from aesthetic_tv.app.taste import Polished, scores_of
from aesthetic_tv.app.views import Views
from aesthetic_tv.app.visits import Visit, Visits
from aesthetic_tv.personalization.album_stars import album_stars


class Sent:
    """The requests with files.

    Args:
        visits: of the app.
        quiet: is told of new answers.
    """

    def __init__(self, visits: Visits, quiet: Quiet):
        self.visits = visits
        self.quiet = quiet

    @property
    def routes(self) -> list[tuple[str, str, Route]]:
        """Method, path and handler of each."""
        return [
            ("POST", "/api/photos", self.photos),
            ("POST", "/api/score", self.score),
            ("POST", "/api/load", self.load),
        ]

    async def photos(self, request: Request) -> Response:
        """Photos for the album arrived."""
        visit, settings = visit_of(self.visits, request), self.visits.settings
        if not settings.uploads or settings.album is not None:
            raise RequestError(403, "Photos cannot be added to this album here.")
        mode, scope = mode_of(request.query_params.get("mode")), scope_of(None)
        async with read_files(request, self.visits.received, settings) as files:
            added, refused = await run_in_threadpool(visit.session.upload, list(map(str, files)))

        def found() -> dict[str, Any]:
            new = [photo for photo in visit.told.photos() if photo["name"] in set(added)]
            state = visit.told.state(mode, scope)
            return {"added": new, "refused": words.refused(refused), "state": state}

        return JSONResponse(await run_in_threadpool(found))

    async def score(self, request: Request) -> Response:
        """Photos to score arrived; those from before are gone, unless these are more of them."""
        visit, settings = visit_of(self.visits, request), self.visits.settings
        if visit.session.fit() is None:
            raise RequestError(409, "Rate a few photos first; then others can be scored.")
        async with read_files(request, self.visits.received, settings) as files:
            uploads = visit.scored if request.query_params.get("more") == "1" else None
            if uploads is None:
                uploads = await run_in_threadpool(self._new_uploads, visit)
            added, refused = await run_in_threadpool(uploads.add, list(map(str, files)))
        scored = await self.visits.workshop.result(lambda: self._scored(visit, uploads, added))
        text = f"{len(scored)} scored by your own taste." if scored else "Nothing could be scored."
        return JSONResponse({"text": text, "scored": scored, "refused": words.refused(refused)})

    def _new_uploads(self, visit: Visit) -> Uploads:
        """Apart from the album; those that were scored before are deleted."""
        folder, served = visit.folder / "scored", visit.served / "scored"
        uploads = Uploads(emptied(folder), Views(emptied(served)), self.visits.settings)
        visit.scored = uploads
        return uploads

    def _scored(self, visit: Visit, uploads: Uploads, added: Sequence[str]) -> list[dict[str, Any]]:
        mine = visit.session.polish()
        scorer = mine.scorer()
        names = {uploads.paths[name]: name for name in added}
        raw = scores_of(scorer, list(names))
        album, rated, ratings = _album_scores(visit, mine)
        found = []
        for path in sorted(raw, key=lambda path: -raw[path]):
            stars, above = None, None
            if len(album):  # on the album's own stars, as though it was of it
                stars = float(album_stars(np.append(album, raw[path]), rated, ratings)[-1])
                above = float((album < raw[path]).mean())
            elif mine.personalization.calibration is not None:
                stars = float(scorer.calibrate(np.array([raw[path]]))[0])
            found.append(
                {
                    "view": uploads.views.address(path),
                    "name": names[path],
                    "stars": None if stars is None else round(stars, 2),
                    "above": above,
                }
            )
        return found

    async def load(self, request: Request) -> Response:
        """Ratings from before arrived."""
        visit, query = visit_of(self.visits, request), request.query_params
        mode, scope = mode_of(query.get("mode")), scope_of(query.get("scope"))
        async with read_files(request, self.visits.received, self.visits.settings) as files:
            found = await run_in_threadpool(self._load, visit, files)
        self.quiet.answered(visit)
        state = await run_in_threadpool(visit.told.state, mode, scope)
        return JSONResponse({**found, "state": state, "kept": self.visits.kept(visit)})

    def _load(self, visit: Visit, files: list[Path]) -> dict[str, str]:
        if not files:
            raise RequestError(400, "No file came; choose a table of ratings.")
        answers, session = read_answers(files), visit.session
        session.tell(answers)
        text = f"{words.how_many(answers)} loaded."
        absent = len(answers.known - session.paths.keys())
        if absent:
            text += f" {absent} of these photos are not here; add them, and they count."
        return {"text": text}


def _album_scores(visit: Visit, mine: Polished) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Exact raw scores of the album, and of its rated photos beside their stars."""
    session = visit.session
    paths, said = session.paths, session.answers.ratings
    rated = [name for name in said if paths.get(name) in mine.scores]
    scores = np.array([mine.scores[paths[name]] for name in rated])
    return np.array(list(mine.scores.values())), scores, np.array([said[name] for name in rated])
