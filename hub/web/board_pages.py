"""The board's pages: the fleet and the settlement runs. No consumption of any home stands on them."""

from fastapi import FastAPI

from hub.web.site import Site


def add_board_pages(app: FastAPI, site: Site) -> None:
    """Mount the board's pages."""
