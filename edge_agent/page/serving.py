"""Puts the local page together for a running agent."""

from __future__ import annotations

from edge_agent.page.guard import Gate, own_hosts
from edge_agent.page.running_home import RunningHome
from edge_agent.page.server import PageServer
from edge_agent.page.site import PageSite
from edge_agent.page_settings import PageSettings


def make_page(settings: PageSettings, home: RunningHome) -> PageServer:
    """The page's server, not yet listening."""
    site = PageSite(home, names=own_hosts(settings.names), gate=Gate(home.folder, now=home.now))
    return PageServer(settings, answer=site.answer, refuse=site.refuse)
