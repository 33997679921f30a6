"""Handlers of the page's first tab: rate, compare, undo, and see the order change."""

import json
from collections.abc import Sequence
from typing import Any

import gradio as gr

from aesthetic_tv.app import words
from aesthetic_tv.app.page import PAIRS, STARS, WORST, Page
from aesthetic_tv.app.session import Session
from aesthetic_tv.app.visits import Visit, Visits
from aesthetic_tv.errors import AestheticTVError

LISTED = 24  # photos of a ranking that are shown
JUDGED_EVERY = 5  # answers between two looks at whether personal is better

Updates = dict[Any, Any]


class Rating:
    """What the page shows of a visit while photos are rated.

    Args:
        page: the components.
        visits: of the app.
    """

    def __init__(self, page: Page, visits: Visits):
        self.page = page
        self.visits = visits

    @property
    def outputs(self) -> list[Any]:
        """The components that `scene` may update."""
        page = self.page
        return [
            *(page.kept, page.shown, page.photo, page.left, page.right),
            *(page.asking, page.standing, page.looking, page.mine, page.generic),
        ]

    def enter(self, kept: Any, kept_before: Any, request: gr.Request) -> Updates:
        """A page was opened."""
        visit = self.visits.enter(request.session_hash or "", kept or kept_before)
        session, page = visit.session, self.page
        self._judge(visit)
        return {
            page.visit: visit,
            page.timer: gr.Timer(active=not _settled(session)),
            page.album: words.album(session, self.visits.settings),
            page.scope: gr.Radio(visible=bool(session.uploads.paths)),
            **self.scene(visit),
        }

    def rate(
        self,
        visit: Visit,
        shown: str,
        mode: str,
        order: str,
        event: gr.EventData,
        request: gr.Request,
    ) -> Updates:
        """A star was clicked, of the photo that the page showed."""
        stars = int(str(event.target.elem_id).removeprefix("star-"))
        names = self._shown(visit, shown, request)
        if len(names) == 1:
            visit.session.rate(names[0], stars)
        return self._answered(visit, mode, order)

    def choose(
        self,
        visit: Visit,
        shown: str,
        mode: str,
        order: str,
        event: gr.EventData,
        request: gr.Request,
    ) -> Updates:
        """One of two photos was chosen."""
        names = self._shown(visit, shown, request)
        if len(names) == 2:
            better, worse = names
            if str(event.target.elem_id) == "choose-right":
                better, worse = worse, better
            visit.session.compare(better, worse)
        return self._answered(visit, mode, order)

    def skip(self, visit: Visit, shown: str, mode: str, order: str, request: gr.Request) -> Updates:
        """The person would rather not say."""
        if names := self._shown(visit, shown, request):
            visit.session.pass_over(*names)
        return self.scene(visit, mode, order, generic=False)

    def undo(self, visit: Visit, mode: str, order: str) -> Updates:
        """The last answer is taken back, and asked for again."""
        session = visit.session
        with session.lock:
            before = session.answers
            session.undo()
            after = session.answers
        if visit.verdict:  # on answers of which one may be taken back
            self._judge(visit)
        back = [name for name in before.ratings if name not in after.ratings]
        again = back[:1] if mode != PAIRS else ()
        return self.scene(visit, mode, order, again, generic=False)

    def select(self, visit: Visit, gallery: str, event: gr.SelectData) -> Updates:
        """A photo of a gallery was chosen, to be rated."""
        names = visit.listed.get(gallery, [])
        index = event.index if isinstance(event.index, int) else -1
        if not 0 <= index < len(names):
            return {self.page.asking: gr.skip()}
        page = self.page
        return {
            page.mode: STARS,
            page.stars_view: gr.Column(visible=True),
            page.pair_view: gr.Column(visible=False),
            **self.ask(visit.session, [names[index]], changing=True),
        }

    def change_mode(self, visit: Visit, mode: str, order: str) -> Updates:
        """From stars to pairs, or back."""
        return {
            self.page.stars_view: gr.Column(visible=mode != PAIRS),
            self.page.pair_view: gr.Column(visible=mode == PAIRS),
            **self.scene(visit, mode, order),
        }

    def tick(self, visit: Visit | None, shown: str, mode: str, order: str) -> Updates:
        """Photos are still looked at: show how far, and what is known by now."""
        if visit is None:
            return {self.page.timer: gr.skip()}
        before, visit.settled = visit.settled, _settled(visit.session)
        asked = json.loads(shown or "[]")
        updates = self.lists(visit, order) if asked else self.scene(visit, mode, order)
        # An answer that crosses this reply may be overwritten by it; one more look puts that right.
        return updates | {self.page.timer: gr.Timer(active=not (before and visit.settled))}

    def scene(
        self,
        visit: Visit,
        mode: str = "",
        order: str = "",
        ask: Sequence[str] = (),
        *,
        generic: bool = True,
    ) -> Updates:
        """All of the tab.

        Args:
            visit: of the person.
            mode: stars or pairs.
            order: best or worst first.
            ask: about this photo instead of the one that teaches most.
            generic: also the generic order, which no answer changes.
        """
        session = visit.session
        names = list(ask) or self._next(session, mode)
        updates = self.ask(session, names, changing=bool(ask))
        updates |= self.lists(visit, order, generic=generic)
        return {self.page.kept: self.visits.kept(visit)} | updates

    def ask(self, session: Session, names: Sequence[str], *, changing: bool = False) -> Updates:
        """One photo or two, and the question."""
        page = self.page
        updates: Updates = {
            page.shown: json.dumps(list(names)),
            page.asking: words.asking(session, names, changing),
        }
        if len(names) == 2:
            return updates | {
                page.left: session.large(names[0]),
                page.right: session.large(names[1]),
            }
        return updates | {page.photo: session.large(names[0]) if names else None}

    def lists(self, visit: Visit, order: str, *, generic: bool = True) -> Updates:
        """Both orders, or the person's alone, and how far the person is."""
        session, page = visit.session, self.page
        looking = words.looking(session)  # first: what is said to be looked at is in the orders
        taste = session.taste()
        mine = []
        if taste is not None:
            rows = taste.ranking()[:: -1 if order == WORST else 1][:LISTED]
            visit.listed["mine"] = [row.name for row in rows]
            mine = [
                (session.thumbnail(row.name), words.caption(row, taste.on_stars)) for row in rows
            ]
        return {
            page.mine: [item for item in mine if item[0]],
            **(self._generic(visit, order) if generic else {}),
            page.standing: words.standing(session, taste, visit.verdict),
            page.looking: looking,
        }

    def _generic(self, visit: Visit, order: str) -> Updates:
        """The order of one taste for all."""
        ranked = list(enumerate(visit.session.generic_ranking(), 1))
        ranked = ranked[:: -1 if order == WORST else 1][:LISTED]
        visit.listed["generic"] = [name for _, name in ranked]
        views = [(visit.session.thumbnail(name), f"{rank}") for rank, name in ranked]
        return {self.page.generic: [view for view in views if view[0]]}

    def _shown(self, visit: Visit, shown: str, request: gr.Request) -> list[str]:
        """The photos that the page shows; none where they are gone with a visit that had ended."""
        self.visits.present(visit, request.session_hash or "")
        names = json.loads(shown or "[]")
        return names if visit.session.paths.keys() >= set(names) else []

    def _answered(self, visit: Visit, mode: str, order: str) -> Updates:
        if len(visit.session.answers) % JUDGED_EVERY == 0:
            self._judge(visit)
        return self.scene(visit, mode, order, generic=False)

    def _judge(self, visit: Visit) -> None:
        session = visit.session
        try:
            found = session.figures()
        except AestheticTVError:  # told in its own tab
            found = None
        visit.verdict = (
            "" if found is None else f"After {words.how_many(session.answers)}: {found.verdict}"
        )

    def _next(self, session: Session, mode: str) -> list[str]:
        """What to ask; photos that cannot be shown are passed by."""
        while True:
            if mode == PAIRS:
                names = list(session.next_pair() or ())
            else:
                name = session.next_photo()
                names = [] if name is None else [name]
            if all(session.large(name) is not None for name in names):
                return names


def _settled(session: Session) -> bool:
    done, total = session.progress
    return done >= total or bool(session.error)
