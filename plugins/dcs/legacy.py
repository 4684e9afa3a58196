"""The API of DCS version 3: a path for each kind of source, bare lists for answers.

Its defaults (one decimal place, no calibration) differ from what people expect, so
nothing is left to them.
"""

from collections.abc import Sequence
from datetime import UTC
from functools import partial
from typing import Final

from .api import Api, Quantity, Request, of_cumulative, word
from .elements import Element, Wire
from .options import GENERATED, INTERPOLATED, Options
from .periods import Calendar, Window, calendar
from .sources import Source

DATE: Final = "%Y-%m-%d"
DAYS: Final = calendar("day")


def bits(elements: Sequence[Element], keys: Sequence[str]) -> list[int]:
    """Return status bits made of flags; of an estimate, "generated" means nothing."""
    generated, interpolated = keys
    return [
        INTERPOLATED if each[interpolated] else GENERATED if each[generated] else 0
        for each in elements
    ]


WIRE: Final = Wire("startTime", ("isGenerated", "isInterpolated"), bits)


def legacy_api(options: Options) -> Api:
    """Return the legacy API as the operator wants to use it."""
    root = options.root
    return Api(
        sign_in=root / "account" / "login",
        sign_out=root / "account" / "logout",
        meters=root / "meters",
        virtual_meters=root / "virtualMeters",
        wire=WIRE,
        skip=options.skip,
        cut=partial(cut, options),
        quantities=partial(quantities, options),
        request=partial(request, options),
    )


def request(options: Options, source: Source, window: Window) -> Request:
    """Return what asks for a window of a source."""
    place, name = (
        ("virtualMeterReadings", "virtualMeterId")
        if source.virtual
        else ("registerReadings", "registerId")
    )
    zone = cut(options, source).zone
    return Request(
        options.root / place / "list",
        {
            name: str(source.number),
            "start": window.start.astimezone(zone).strftime(DATE),
            "end": window.end.astimezone(zone).strftime(DATE),
            "integrationPeriod": options.calendar_of(source).wire,
            "useLocalTime": word(zone is not UTC),
            "decimalPlaces": str(options.decimal_places),
            "calibrated": word(options.calibrated),
            "interpolated": word(options.interpolated),
            "source": options.source,
        },
    )


def cut(options: Options, source: Source) -> Calendar:
    """Return the days, weeks or months that windows of a source consist of.

    The API takes dates alone, so half hours and hours are asked for by whole days. A
    date is a day of the calendar that is asked for, London's perhaps.
    """
    periods = options.calendar_of(source)
    return DAYS if periods.wire in {"halfHour", "hour"} else periods


def quantities(options: Options, source: Source) -> list[Quantity]:
    """Return the values of a source that are wanted, of those that this API has."""
    if source.virtual:  # its totals are always 0, and so is the consumption of samples
        return [] if source.instantaneous else [Quantity(options.period, "periodValue")]
    if source.instantaneous:
        return [Quantity("sample", "totalValue")]
    return of_cumulative(options, total="totalValue", consumption="periodValue")
