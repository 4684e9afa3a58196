"""Which path takes which format."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl

from aiohttp import web

from ingestd.plugins._problems import Problems

from .formats.beaded import beaded
from .formats.bmon import batch, old, single
from .formats.extras import Extra
from .formats.lines import lines
from .formats.message import (
    FormatError,
    Found,
    MediaTypeError,
    Message,
    TooLargeError,
    mapping,
    parse_json,
)
from .formats.notehub import notehub
from .formats.otlp import OTLP, finder
from .formats.otlpanswers import OtlpAnswers
from .formats.otlpoptions import Options, otlp_options
from .formats.plain import readings
from .formats.radiobridge import radio_bridge
from .formats.remoteanswers import RemoteAnswers
from .formats.remotewrite import REMOTE_WRITE, SNAPPY, remote_write
from .keys import KeyRefusedError
from .things import Things
from .weather import Weather

MOST_FIELDS: Final = 100
MOST_FIELDS_OF_STATIONS: Final = 1000  # some have hundreds of sensors
# Parses a body; what the address says besides wins over what is in it.
Parse = Callable[[bytes, Mapping[str, str]], Any]


def form(body: bytes, query: Mapping[str, str], *, most: int = MOST_FIELDS) -> dict[str, str]:
    """Return the fields of a form.

    Raises:
        FormatError: It is none.
    """
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=most)
    except ValueError as error:
        raise FormatError(f"expected a form: {error}") from None
    return {**dict(fields), **query}


def json_object(body: bytes, query: Mapping[str, str]) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        FormatError: It is none.
    """
    return {**mapping(parse_json(body), "the body"), **query}


def json_any(body: bytes, _: Mapping[str, str]) -> Any:
    """Return a JSON document.

    Raises:
        FormatError: It is none.
    """
    return parse_json(body)


def raw(body: bytes, _: Mapping[str, str]) -> bytes:
    """Return the body as it is."""
    return body


class Answers(Protocol):
    """How the senders of a format want to be answered."""

    def taken(self, request: web.Request, found: Found) -> web.Response:
        """Answer that readings are safe; those that were rejected never will be."""

    def refused(
        self, request: web.Request, status: int, error: str, headers: Mapping[str, str]
    ) -> web.Response:
        """Answer that readings are not taken, or not safe yet: these have a Retry-After."""


@dataclass(frozen=True, slots=True)
class Route:
    """A path that is answered.

    Attributes:
        name: The format's, for the option ``formats``.
        path: Matches the path below the prefix; its groups are what that says.
        parse: Makes the document of a body.
        find: Finds the readings in it.
        methods: The HTTP methods.
        style: How it is answered: like BMON, like InfluxDB, or with JSON.
        success: What BMON says instead of the number of readings.
        key_in_body: Whether its senders may have their key there alone.
        packed: Whether a small body may become a large one.
        checks_keys: Whether its senders have keys of their own, which `find` checks.
        compression: What its bodies are compressed with and ``find`` undoes, if HTTP does not.
        answers: How it is answered, if it has a style of its own.
        extra: What has to be installed for it, or None.
    """

    name: str
    path: re.Pattern[str]
    parse: Parse
    find: Callable[[Message], Found]
    methods: tuple[str, ...] = ("POST",)
    style: str = "bmon"
    success: str = ""
    key_in_body: bool = True
    packed: bool = False
    checks_keys: bool = False
    compression: str = ""
    answers: Answers | None = None
    extra: Extra | None = None

    def readings(self, message: Message) -> Found:
        """Find the readings in a message.

        Raises:
            FormatError: It is not what the format expects.
            MediaTypeError: It says that it is something else.
            TooLargeError: It becomes larger than we take.
            MissingError: What the format needs is not installed.
        """
        if self.extra is not None:
            self.extra.check()
        try:
            return self.find(message)
        except (FormatError, KeyRefusedError, MediaTypeError, TooLargeError):
            raise
        except (OverflowError, TypeError, ValueError, RecursionError) as error:
            raise FormatError(f"{self.name}: expected another message: {error!s:.200}") from error


def _below(path: str) -> re.Pattern[str]:
    """Return the pattern of one of BMON's paths, whose first part may be the prefix."""
    return re.compile(rf"(?:/readingdb)?/reading/{path}/?")


def _also(path: str, other: str) -> re.Pattern[str]:
    """Return the pattern of one of BMON's paths, or of another that means the same."""
    return re.compile(rf"(?:/readingdb)?/reading/{path}/?|{other}/?")


BOTH: Final = ("GET", "POST")
# Ambient's consoles put what belongs behind a question mark right behind the path.
REPORT: Final = r"/data/report(?:/(?P<key>[^/=]+)/?|/?(?P<fields>[^/]*=.*)?)"
UPDATE: Final = r"/weatherstation/updateweatherstation\.php"


def weather_routes(weather: Weather) -> tuple[Route, ...]:
    """Return the routes of weather stations: those of Ecowitt and Ambient, and the others."""
    fields = partial(form, most=MOST_FIELDS_OF_STATIONS)
    return tuple(
        Route(
            "weather", re.compile(path), fields, weather.find, BOTH,
            style="station", success=success, checks_keys=True,
        )
        for path, success in ((REPORT, '{"errcode":"0","errmsg":"ok"}'), (UPDATE, "success\n"))
    )  # fmt: skip


ROUTES: Final[tuple[Route, ...]] = (
    Route("batch", _below("store"), json_object, batch),
    Route("radio_bridge", _below("store-rb"), json_object, radio_bridge),
    Route("beaded", _below("store-beaded"), raw, beaded, key_in_body=False),
    Route("notehub", _below("store-notehub"), json_object, notehub, packed=True),
    Route("single", _below("(?P<id>[^/]+)/store"), form, single, BOTH),
    Route("old", re.compile("/st8(?P<key>[^/]+)/?"), form, old, BOTH, success="OK"),
    Route(
        "influx",
        re.compile("(?P<first>/write)|/api/v2/write|/api/v3/write_lp"),
        raw,
        lines,
        style="influx",
        key_in_body=False,
    ),
    Route(
        "readings", re.compile("/readings/?"), json_any, readings, style="json", key_in_body=False
    ),
)


def of_agents(otlp: Options) -> tuple[Route, ...]:
    """Return the routes of what agents for metrics send."""
    return (
        Route(
            "otlp",
            re.compile("/v1/metrics"),
            raw,
            finder(otlp),
            key_in_body=False,
            packed=True,
            answers=OtlpAnswers(),
            extra=OTLP,
        ),
        Route(
            "remote_write",
            re.compile("/api/v1/write"),
            raw,
            remote_write(),
            key_in_body=False,
            packed=True,
            compression=SNAPPY,
            answers=RemoteAnswers(),
            extra=REMOTE_WRITE,
        ),
    )


AGENTS: Final = tuple(route.name for route in of_agents(otlp_options(None)))
FORMATS: Final = (*(route.name for route in ROUTES), "things", "weather", *AGENTS)


def of_things(things: Things) -> Route:
    """Return the route of LoRaWAN networks."""
    return Route("things", _also("store-things", "/uplinks"), json_object, things.find)


def enabled(
    formats: Iterable[Any] | None,
    weather: Weather | None = None,
    otlp: Options | None = None,
    things: Things | None = None,
) -> tuple[Route, ...]:
    """Return the routes of some formats, or of all.

    Args:
        formats: Their names; None for all.
        weather: What finds the readings of weather stations.
        otlp: The options of that format.
        things: What finds the readings in uplinks.

    Raises:
        ValueError: A format is unknown, or what one needs is not installed.
    """
    known = (
        *ROUTES,
        of_things(things or Things()),
        *weather_routes(weather or Weather()),
        *of_agents(otlp or otlp_options(None)),
    )
    if formats is None:
        return known
    wanted = [formats] if isinstance(formats, str) else list(formats)
    for each in wanted:
        if each not in FORMATS:
            raise ValueError(f"formats: expected some of {', '.join(FORMATS)}, got {each!r}")
    chosen = tuple(route for route in known if route.name in wanted)
    missing = [each.extra.problem() for each in chosen if each.extra is not None]
    if any(missing):
        raise Problems([f"formats: {each}" for each in missing if each])
    return chosen


def find(routes: Iterable[Route], path: str) -> tuple[Route, dict[str, str]] | None:
    """Return the route of a path, with what that says, or None."""
    for route in routes:
        found = route.path.fullmatch(path)
        if found:
            return route, found.groupdict()
    return None
