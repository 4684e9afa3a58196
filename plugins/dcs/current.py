"""The current API, "DcsWebApi": one path for readings, one object for an answer.

Its standard format has one value: a register's total, a virtual meter's
consumption, or a sample. Consumption of a register is in its complete format.
"""

from collections.abc import Sequence
from typing import Final

from .api import Api, Quantity, Request, of_cumulative, word
from .elements import Element, Wire
from .options import GENERATED, Options
from .periods import Window
from .sources import Source

TIME: Final = "%Y-%m-%dT%H:%M:%SZ"


def bits(elements: Sequence[Element], keys: Sequence[str]) -> list[int]:
    """Return the status bits of elements."""
    key = keys[0]
    return [each[key] for each in elements]


WIRE: Final = Wire("timestamp", ("status",), bits)


def current_api(options: Options) -> Api:
    """Return the current API as the operator wants to use it."""
    public = options.username is None
    place = options.root / "public" if public else options.root

    def request(source: Source, window: Window) -> Request:
        complete = any(each.key != "value" for each in quantities(source))
        return Request(
            place / "readings",
            {
                "id": source.id,
                "format": "complete" if complete else "standard",
                "startTime": window.start.strftime(TIME),
                "endTime": window.end.strftime(TIME),
                "periodType": options.calendar_of(source).wire,
                "calibrated": word(options.calibrated),
                "interpolated": word(options.interpolated),
            },
        )

    def quantities(source: Source) -> list[Quantity]:
        if source.instantaneous:
            return [Quantity("sample", "value")]
        if source.virtual:
            return [Quantity(options.period, "value")]
        if not options.consumption:
            return [Quantity("total", "value")]
        return of_cumulative(options, total="totalValue", consumption="periodValue")

    return Api(
        sign_in=None if public else options.root / "authentication" / "signin",
        sign_out=options.root / "authentication" / "signout",
        meters=place / "meters",
        virtual_meters=place / "virtualMeters",
        wire=WIRE,
        skip=options.skip & ~GENERATED,
        cut=options.calendar_of,
        quantities=quantities,
        request=request,
    )
