"""The page of the co-op's rules: every version with its first day and who agreed on it, and what is proposed."""

from fastapi import FastAPI, Request, Response

from hub.storage.rule_records import StoredRulebook
from hub.web.frame.sign_in import Visit, visit_of
from hub.web.rendering import PageContext, as_json
from hub.web.views.rulebook import rulebook_page


def add_rule_pages(app: FastAPI, site: PageContext) -> None:
    """Mount the page and its file. Neither shows a home's values."""

    @app.get("/rules.json")
    async def rules_as_json(request: Request) -> Response:
        book = await _rulebook(site, await visit_of(site.parts, request))
        return as_json({"currency": site.parts.coop.currency, **book.plain(site.parts.coop.tz)})

    @app.get("/rules")
    async def rules(request: Request) -> Response:
        visit = await visit_of(site.parts, request)
        book = await _rulebook(site, visit)
        asked = {each.content.by for each in book.proposals} | {rule.adopted_by for rule in book.rules}
        members = await site.named(asked)
        return await site.page(
            visit, "rules.html", place="more", view=rulebook_page(book, visit.words, members=members)
        )


async def _rulebook(site: PageContext, visit: Visit) -> StoredRulebook:
    return await site.parts.store.rulebook(visit.words.local(visit.now_s).date().isoformat())
