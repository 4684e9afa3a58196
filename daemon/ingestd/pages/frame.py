"""What stands around every page."""

from dataclasses import dataclass
from typing import Final

import htpy as h

from ingestd.pages.parts import acting
from ingestd.pages.words import Viewing, for_machines, written

LINKS: Final = (
    ("/", "Overview"),
    ("/ui/collectors", "Collectors"),
    ("/ui/runs", "Runs"),
    ("/ui/series", "Series"),
    ("/ui/stores", "Stores"),
    ("/ui/config", "Configuration"),
    ("/ui/plugins", "Plugins"),
)


FOR_PROGRAMS: Final = (
    ("/api/v1/status", "status as JSON"),
    ("/openapi.json", "API"),
    ("/metrics", "metrics"),
    ("/livez?verbose", "lives"),
    ("/readyz?verbose", "is ready"),
)


@dataclass(frozen=True, slots=True)
class Page:
    """A page that has yet to be framed.

    Attributes:
        title: What it shows.
        content: Below the links.
        here: The link that leads here, or an empty string.
        live: Whether a script keeps it as the daemon is, which makes it all again and again.
    """

    title: str
    content: h.Node
    here: str = ""
    live: bool = False


def framed(page: Page, viewing: Viewing) -> h.Renderable:
    """Return the whole document."""
    return h.html(lang="en")[_head(page), h.body[_top(page), _main(page), _bottom(viewing)]]


def _head(page: Page) -> h.Renderable:
    return h.head[
        h.meta(charset="utf-8"),
        h.meta(name="viewport", content="width=device-width, initial-scale=1"),
        h.meta(name="color-scheme", content="light dark"),
        h.title[f"{page.title} - ingestd"],
        h.link(rel="icon", href="/static/icon.svg", type="image/svg+xml"),
        h.link(rel="stylesheet", href="/static/page.css"),
        h.script(src="/static/live.js", defer=True) if page.live else None,
    ]


def _top(page: Page) -> h.Renderable:
    links = (
        h.li[h.a(href=path, aria_current="page" if path == page.here else None)[text]]
        for path, text in LINKS
    )
    return h.header[
        h.a(class_="skip", href="#main")["Skip to the content"],
        h.nav(aria_label="ingestd")[h.ul[links]],
    ]


def _main(page: Page) -> h.Renderable:
    return h.main(id="main")[h.h1[page.title], page.content]


def _bottom(viewing: Viewing) -> h.Renderable:
    at = h.time(datetime=for_machines(viewing.now))[written(viewing.now, viewing.zone)]
    links = (h.li[h.a(href=path)[text]] for path, text in FOR_PROGRAMS)
    return h.footer[
        h.p[f"ingestd {viewing.version}, as of ", at],
        acting("/ui/logout", viewing, h.button["Log out"]) if viewing.logged_in else None,
        h.nav(aria_label="for programs")[h.ul(class_="row")[links]],
    ]
