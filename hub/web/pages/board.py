"""The board's pages about the fleet of agents and devices and about the hub itself. They show no home's consumption."""

from typing import Final

from fastapi import FastAPI, Request, Response

from hub.core.ledger.approvals import lone_board
from hub.storage.contract import MemberStore, ReadingStore
from hub.storage.errors import StoreError
from hub.storage.fleet_records import FleetPlace, FleetSums
from hub.storage.jobs.standing import DAY_S, JobNow, jobs_now
from hub.web.frame.asked_pages import PAGE_ROWS, AskedPage, PageLinks, asked_page, page_links
from hub.web.frame.sign_in import Visit, known_board_member, require_board, visit_of
from hub.web.rendering import PageContext, as_json
from hub.web.views.board import FleetPage, fleet_asked, fleet_json, fleet_page, fleet_slots
from hub.web.views.health import health_json, health_page, message_lines
from hub.web.views.jobs import jobs_json, jobs_page

SUMS_KEPT_S: Final = 60


def add_board_pages(app: FastAPI, site: PageContext) -> None:
    """Mount the board's pages."""
    store = site.parts.store
    sums = CountedFleet(store)

    @app.get("/board/fleet")
    async def fleet(request: Request) -> Response:
        visit = await require_board_visit(site, request)
        asked = asked_page(request, visit.words)
        view, links = await _fleet_of(store, visit, asked, sums=await sums.at(visit.now_s))
        intake = (await site.parts.health()).intake if links.is_first else None
        messages = () if intake is None else message_lines(intake, visit.words)
        return await site.page(visit, "fleet.html", place="more", view=view, messages=messages, links=links)

    @app.get("/board/fleet.json")
    async def fleet_as_json(request: Request) -> Response:
        visit = await require_board_visit(site, request)
        slots = fleet_slots(visit.now_s)
        return as_json(fleet_json(await store.fleet(slots=slots), await store.refusals(), slots=slots))

    @app.get("/board/health")
    async def health(request: Request) -> Response:
        try:
            visit = await require_board_visit(site, request)
            view = health_page(await site.parts.health(), visit.words)
            return await site.page(visit, "health.html", place="more", view=view)
        except StoreError:
            # What the processes know by themselves is shown to whom this one knows to be on the board.
            if (words := known_board_member(site.parts, request)) is None:
                raise
            view = health_page(await site.parts.health(), words)
            return site.page_without_store("health.html", words, place="more", status=503, view=view)

    @app.get("/board/health.json")
    async def health_as_json(request: Request) -> Response:
        status = 200
        try:
            await require_board_visit(site, request)
        except StoreError:
            if known_board_member(site.parts, request) is None:
                raise
            status = 503
        return as_json(health_json(await site.parts.health()), status=status)

    @app.get("/board/jobs")
    async def jobs(request: Request) -> Response:
        visit = await require_board_visit(site, request)
        view = jobs_page(await _jobs(site, visit.now_s), visit.words, now_s=visit.now_s)
        return await site.page(visit, "jobs.html", place="more", view=view)

    @app.get("/board/jobs.json")
    async def jobs_as_json(request: Request) -> Response:
        visit = await require_board_visit(site, request)
        return as_json(jobs_json(await _jobs(site, visit.now_s)))


class CountedFleet:
    """The fleet's sums, counted at most once a minute: how much has arrived takes a look at a day of every home."""

    def __init__(self, store: ReadingStore) -> None:
        self._store = store
        self._made: tuple[float, FleetSums] | None = None

    async def at(self, now_s: float) -> FleetSums:
        """The sums at this time, or at most SUMS_KEPT_S before it."""
        made = self._made
        if made is None or not 0 <= now_s - made[0] < SUMS_KEPT_S:
            slots, before = fleet_slots(now_s), fleet_asked("", now_s=now_s).silent_before
            made = self._made = (now_s, await self._store.fleet_sums(slots=slots, silent_before=before))
        return made[1]


async def _fleet_of(
    store: ReadingStore, visit: Visit, asked: AskedPage, *, sums: FleetSums
) -> tuple[FleetPage, PageLinks]:
    """One page of homes under the sums of all; the first also has the senders that nobody knows."""
    fleet, slots = fleet_asked(asked.text, now_s=visit.now_s), fleet_slots(visit.now_s)
    after = None if asked.after is None else FleetPlace(*asked.after)
    places = await store.fleet_places(fleet, after=after, most=PAGE_ROWS + 1)
    order = {place.home: number for number, place in enumerate(places[:PAGE_ROWS])}
    rows = sorted(await store.fleet(slots=slots, homes=list(order)), key=lambda row: (order[row.home], row.seat))
    last = places[PAGE_ROWS - 1] if len(places) > PAGE_ROWS else None
    links = page_links(asked, None if last is None else (last.harm, last.home))
    agents = {row.agent for row in rows if row.agent} | {former.agent for row in rows for former in row.former}
    refused = await store.refusals_of(sorted(agents), strangers=PAGE_ROWS if links.is_first else 0)
    return fleet_page(rows, refused, visit.words, now_s=visit.now_s, sums=sums), links


async def _jobs(site: PageContext, now_s: float) -> tuple[JobNow, ...]:
    health, store = await site.parts.health(), site.parts.store
    running = {job.name: job.running_since for job in health.jobs if job.running_since is not None}
    runs = await store.job_runs(since=int(now_s) - DAY_S)
    planned = {job.name for job in health.jobs}
    return jobs_now(await store.jobs(), runs, planned=planned, running=running, now_s=now_s)


async def board_warning(store: MemberStore) -> str | None:
    """That the board has too few members to publish anything, and what to do; None if it has enough."""
    people, board = await store.people_and_board()
    return lone_board(board, members=people)


async def require_board_visit(site: PageContext, request: Request) -> Visit:
    """A visit by a board member. Raises: SignInNeededError, PageError(403)."""
    visit = await visit_of(site.parts, request)
    require_board(visit)
    return visit
