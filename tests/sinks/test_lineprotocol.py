"""Points to lines and back, without a server; tests/sinks has what servers make of them."""

import string
from collections.abc import Sequence

import pytest
from hypothesis import assume, given

from ingestd.errors import ReadingError, UnsendablePayload
from ingestd.model import Point, Series
from ingestd.sinks import lineprotocol
from ingestd.sinks.linebodies import join, split
from ingestd.sinks.lineprotocol import Dialect, Prefixes, encode, prefix
from ingestd.sinks.victoriametrics import DIALECT as VICTORIA
from tests.support.influx2 import parse
from tests.support.lines import batches

INFLUX = Dialect()
S = 1_000_000
T = 1_700_000_000 * S


def lines_of(points: Sequence[Point], dialect: Dialect = INFLUX) -> tuple[str, bytes]:
    """Return the text and precision of some points, none of which is refused."""
    made = encode(points, Prefixes(dialect))
    assert not made.refused
    assert made.points == len(points)
    return made.text.decode(), made.precision


def test_line_has_measurement_series_tags_field_number_and_time() -> None:
    """The parts of a line stand where the protocol wants them."""
    text, _ = lines_of([(Series("R733", (("site", "library"),), "electricity", "kwh"), T, 4.25)])

    assert text == "electricity,series=R733,site=library kwh=4.25 1700000000"


@pytest.mark.parametrize(
    ("times_us", "precision", "stamps"),
    [
        ([T, T + S], b"s", ["1700000000", "1700000001"]),
        ([T, T + 5000], b"m", ["1700000000000", "1700000000005"]),
        ([T, T + 1], b"u", ["1700000000000000", "1700000000000001"]),
        ([0, -S], b"s", ["0", "-1"]),
        ([-1000], b"m", ["-1"]),
    ],
)
def test_precision_is_the_coarsest_that_loses_nothing(
    times_us: list[int], precision: bytes, stamps: list[str]
) -> None:
    """A batch of whole seconds is sent in seconds, and one odd microsecond changes that."""
    text, letter = lines_of([(Series("a"), time_us, 1.0) for time_us in times_us])

    assert letter == precision
    assert [line.rpartition(" ")[2] for line in text.split("\n")] == stamps


def test_store_of_milliseconds_gets_no_finer_times() -> None:
    """What the store would cut off is cut off here, towards the past."""
    text, letter = lines_of([(Series("a"), T + 1999, 1.0), (Series("b"), T + 1, 1.0)], VICTORIA)

    assert letter == b"m"
    assert [line.rpartition(" ")[2] for line in text.split("\n")] == [
        "1700000000001",
        "1700000000000",
    ]


def test_readings_that_the_store_cannot_tell_apart_are_refused_but_the_last() -> None:
    """Of several readings in one millisecond the last is kept, and the others are named."""
    one, other = Series("a"), Series("b")
    points = [(one, T + 1, 1.0), (one, T + 2, 2.0), (other, T + 3, 3.0), (one, T + 2, 2.5)]

    made = encode(points, Prefixes(VICTORIA))

    assert made.text.decode().count("\n") == 2  # the repeat of one time is no collision
    ((payload, why),) = made.refused
    assert payload == b"reading,series=a value=1.0 1700000000000001"
    assert "1700000000000002" in why


@given(batches)
def test_all_that_is_encoded_reads_back(points: list[Point]) -> None:
    """A parser that was not made from the encoder finds the same points in its lines."""
    made = encode(points, Prefixes(INFLUX))
    # Only a backslash can be what a store would not give back.
    texts = [
        each for s, *_ in points for each in (s.measurement, s.field, s.name, *sum(s.tags, ()))
    ]
    assert not made.refused or any("\\" in each for each in texts)
    assume(not made.refused)
    scale = {b"s": 10**9, b"m": 10**6, b"u": 10**3}[made.precision]

    found = [parse(line, scale) for line in made.text.decode().split("\n")]

    assert found == [
        ((s.measurement, frozenset([("series", s.name), *s.tags]), s.field, time_us * 1000), value)
        for s, time_us, value in points
    ]


@pytest.mark.parametrize(
    ("series", "reason"),
    [
        (Series("a\nb"), "line feed"),
        (Series("a\\"), "backslash"),
        (Series("a", (("t\\", "v"),)), "backslash"),
        (Series("a", (("t", "v\\"),)), "backslash"),
        (Series("a", (), "m\\"), "backslash"),
        (Series(""), "empty"),
        (Series("a", (("", "v"),)), "empty"),
        (Series("a", (), ""), "empty"),
        (Series("a", (), "m", ""), "empty"),
        (Series("a", (), "#m"), "comment"),
        (Series("a", (("series", "b"),)), "reserved"),
        (Series("\udc80"), "Unicode"),
    ],
)
def test_what_no_line_can_say_is_refused(series: Series, reason: str) -> None:
    """A series that would read back as another is refused with a reason; its siblings go on."""
    good = Series("good")

    made = encode([(good, T, 1.0), (series, T, 2.0), (good, T + S, 3.0)], Prefixes(INFLUX))

    assert made.points == 2
    ((payload, why),) = made.refused
    assert reason in why
    with pytest.raises(UnsendablePayload, match="cannot say"):
        join([payload], compress=True)


@pytest.mark.parametrize(
    ("series", "reason"),
    [
        (Series("a", tuple((f"t{at}", "v") for at in range(30))), "at most 29 tags, got 30"),
        (Series("a", (("t" * 257, "v"),)), "at most 256 bytes"),
        (Series("a", (("t", "é" * 8193),)), "at most 16384 bytes"),
        (Series("s" * 16385), "at most 16384 bytes"),
        (Series("a", (), "m" * 16380), "at most 16384 bytes"),
        (Series("a", tuple((f"t{at}", "v" * 16384) for at in range(17))), "line"),
        (Series("a", (("__name__", "v"),)), "reserved"),
    ],
)
def test_what_victoriametrics_cuts_off_is_refused(series: Series, reason: str) -> None:
    """Its limits are kept on our side, since it says nothing."""
    with pytest.raises(ReadingError, match=reason):
        prefix(series, VICTORIA)

    assert prefix(series, INFLUX)


def test_a_line_that_would_take_the_next_along_is_refused() -> None:
    """InfluxDB looks for the ends of lines by other rules than for tags."""
    endless = Series("s", (("k", 'a\\ b\\=c"d'),), "reading", "value")
    harmless = Series("s", (("k", 'a\\ b=c"d'),), "reading", "value")

    lines = encode([(endless, 0, 1.0), (harmless, 0, 1.0)], Prefixes(Dialect()))

    assert lines.points == 1
    assert [reason for _, reason in lines.refused] == [
        "'s': its line: a quote behind a backslash and a blank cannot be sent"
    ]


def test_victoriametrics_can_say_a_backslash_at_the_end() -> None:
    """Doubling makes every backslash stand for itself."""
    assert prefix(Series("a\\ b\\"), VICTORIA) == r"reading,series=a\\\ b\\ value="


def test_empty_tag_is_no_tag() -> None:
    """Stores hold an empty tag and a missing one for the same."""
    assert prefix(Series("a", (("t", ""),)), INFLUX) == "reading,series=a value="


@pytest.mark.parametrize(("time_us", "kept"), [(T - 1, 0), (T, 1), (T + S - 1, 1), (T + S, 0)])
def test_window_has_its_start_and_not_its_end(time_us: int, kept: int) -> None:
    """A point on its own at either edge is judged as among others."""
    made = encode([(Series("a"), time_us, 1.0)], Prefixes(INFLUX), low_us=T, high_us=T + S)

    assert (made.points, len(made.refused)) == (kept, 1 - kept)


def test_times_out_of_the_window_are_refused() -> None:
    """Points too old or too far ahead for a store are set aside, readable and sendable."""
    points = [(Series("a"), time_us, 1.0) for time_us in (T - 1, T, T + S - 1, T + S)]

    made = encode(points, Prefixes(INFLUX), low_us=T, high_us=T + S)

    assert (made.points, made.first_us, made.last_us) == (2, T, T + S - 1)
    assert [payload.rpartition(b" ")[2] for payload, _ in made.refused] == [
        b"%d" % (T - 1),
        b"%d" % (T + S),
    ]
    assert ["too old" in why for _, why in made.refused] == [True, False]
    assert split(join([made.refused[0][0]], compress=True)) == [made.refused[0][0]]


def test_prefixes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin that makes up series for ever does not fill the memory."""
    monkeypatch.setattr(lineprotocol, "PREFIXES", 10)
    prefixes = Prefixes(INFLUX)

    for at in range(100):
        encode([(Series(f"{at}"), T, 1.0)], prefixes)

    assert len(prefixes) <= 10


def test_control_characters_go_through() -> None:
    """Only a line feed ends a line; any other character of a name is sent as it is."""
    odd = "".join(chr(code) for code in range(32) if chr(code) != "\n") + string.punctuation + "x"
    text, _ = lines_of([(Series(odd), T, 1.0)])

    (_, tags, _, _), _ = parse(text, 10**9)
    assert dict(tags)["series"] == odd


@pytest.mark.parametrize(
    "times_us", [[T, T + S], [T + 1, T], [T + number for number in range(200)]]
)
@pytest.mark.parametrize("first", [[], [T - 5000 * S] * 100])
def test_lines_are_the_same_however_often_a_time_repeats(
    times_us: list[int], first: list[int]
) -> None:
    """Whichever way a batch is written, each point has the line it would have alone."""
    stamps = [*first, *(times_us * 40)]
    points = [(Series(f"R{at}"), time, at / 8) for at, time in enumerate(stamps)]

    text, precision = lines_of(points)

    unit = lineprotocol.UNITS[precision]
    assert text.split("\n") == [
        f"reading,series={series.name} value={number!r} {time // unit}"
        for series, time, number in points
    ]
