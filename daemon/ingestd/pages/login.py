"""The page that asks for the token."""

from collections.abc import Mapping
from typing import Any

import htpy as h

from ingestd.pages.frame import Page
from ingestd.pages.parts import acting
from ingestd.pages.words import Viewing


def page(told: Mapping[str, Any], viewing: Viewing) -> Page:
    """Ask for the token.

    Args:
        told: ``path``, where the form goes; ``to``, where to go then; ``detail``, what is wrong.
        viewing: With the CSRF token of the form.
    """
    box = h.input(
        id="token", name="token", type="password", required=True, autocomplete="current-password"
    )
    form = acting(
        told["path"],
        viewing,
        [
            h.input(type="hidden", name="to", value=told["to"]),
            h.p[h.label(for_="token")["Token"], " ", box, " ", h.button(class_="act")["Log in"]],
        ],
    )
    wrong = h.p(role="alert")[told["detail"]] if told["detail"] else None
    says = h.p["This daemon shows itself to those who know ", h.code["daemon.token"], "."]
    return Page("Log in", [says, wrong, form])
