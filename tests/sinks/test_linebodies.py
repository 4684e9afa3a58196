"""Bodies of lines, made and taken apart without a server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.errors import UnreadableBody
from ingestd.model import Point, Series
from ingestd.sinks.linebodies import NOTHING, join, opened, pack, packed, split
from ingestd.sinks.lineprotocol import Dialect, Prefixes, encode
from tests.support.lines import batches

S = 1_000_000
T = 1_700_000_000 * S


def body(points: list[Point], *, compress: bool = True) -> bytes:
    """Return a body of points, none of which is refused."""
    made = encode(points, Prefixes(Dialect()))
    assert made.points == len(points)
    return packed(made, compress=compress)


@given(batches, st.booleans())
def test_split_and_join_lose_nothing(points: list[Point], compress: bool) -> None:  # noqa: FBT001
    """A body's payloads make a body of the same payloads and precision."""
    made = body(points, compress=compress)
    payloads = split(made)

    assert len(payloads) == len(points)
    assert [int(p.rpartition(b" ")[2]) for p in payloads] == [time_us for _, time_us, _ in points]
    again = join(payloads, compress=compress)
    assert split(again) == payloads
    assert opened(again).lines() == opened(made).lines()


def test_join_of_seconds_and_milliseconds_is_in_milliseconds() -> None:
    """Bodies of different precision meet in the finer one."""
    whole = pack(b"m,series=a v=1.0 10", b"s", compress=True)
    fine = pack(b"m,series=a v=2.0 10005", b"m", compress=False)

    joined = join([*split(whole), *split(fine)], compress=False)

    assert joined == b"m\nm,series=a v=1.0 10000\nm,series=a v=2.0 10005"


@given(batches, st.booleans(), st.integers(-(10**15), 10**15))
def test_lines_before_a_time_are_found(
    points: list[Point],
    compress: bool,  # noqa: FBT001
    time_us: int,
) -> None:
    """The header tells whether there can be any, and the lines tell which, joined or not."""
    early = [at for at, point in enumerate(points) if point[1] < time_us]
    fresh = opened(body(points, compress=compress))
    joined = opened(join(split(body(points)), compress=compress))

    assert fresh.may_begin_before(time_us) == bool(early)
    assert joined.may_begin_before(time_us)
    assert fresh.before(time_us) == joined.before(time_us) == early


@pytest.mark.parametrize("step", [S, 1000, 1])
def test_line_at_a_time_is_not_before_it(step: int) -> None:
    """The limit itself is kept, in every precision; one unit earlier is not."""
    found = opened(body([(Series("a"), T - step, 1.0), (Series("a"), T, 1.0)]))

    assert found.before(T) == [0]
    assert found.before(T + 1) == [0, 1]


def test_body_without_points_has_no_payloads() -> None:
    """What a store is asked with, to learn whether we may write, is a body."""
    assert split(NOTHING) == []
    assert opened(NOTHING).before(T) == []


@pytest.mark.parametrize(
    "data", [b"", b"x", b"s", b"sm,series=a v=1.0 10", b'{"series": []}', b"s\n\x1f\x8bnot gzip"]
)
def test_damaged_body_is_an_error(data: bytes) -> None:
    """Bytes that are not a body are not taken for one."""
    with pytest.raises(UnreadableBody, match="body"):
        split(data)
