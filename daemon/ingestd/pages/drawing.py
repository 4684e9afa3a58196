"""Every page by its name."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import htpy as h

from ingestd.pages import (
    ask,
    collector,
    collectors,
    configuration,
    login,
    overview,
    plugins,
    problem,
    requested,
    run,
    runs,
    series,
    stores,
)
from ingestd.pages.frame import Page, framed
from ingestd.pages.words import Viewing

Draw = Callable[[Mapping[str, Any], Viewing], Page]

PAGES: Final[Mapping[str, Draw]] = {
    "overview": overview.page,
    "collectors": collectors.page,
    "collector": collector.page,
    "runs": runs.page,
    "run": run.page,
    "requested": requested.page,
    "series": series.page,
    "chart": series.chart_page,
    "stores": stores.page,
    "config": configuration.page,
    "plugins": plugins.page,
    "ask": ask.page,
    "login": login.page,
    "problem": problem.page,
}


def draw(name: str, told: Mapping[str, Any], viewing: Viewing) -> bytes:
    """Return a page as HTML.

    Args:
        name: Which.
        told: What it shows, free of secrets.
        viewing: When and in which zone.
    """
    drawn: h.Renderable = framed(PAGES[name](told, viewing), viewing)
    # A plugin may print lone surrogates, which UTF-8 has no form for.
    return str(drawn).encode("utf-8", "backslashreplace")
