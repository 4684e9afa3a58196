"""How a body that a store does not take is taken apart."""

import pytest

from ingestd.delivery.sifting import cut, join, sifted, some_of
from ingestd.errors import BodyRejected
from ingestd.model import Body
from tests.support.pipeline import influx

SINK = influx("http://localhost")


def lines(count: int) -> list[bytes]:
    """Make so many payloads."""
    return [b"level value=%d 1" % at for at in range(count)]


def body(count: int) -> Body:
    """Make a body of so many points."""
    return Body(SINK.join(lines(count)), count, 5, 7)


def test_a_body_is_halved() -> None:
    """Both halves are to be sent, and may have any of its times."""
    refused, again = sifted(SINK, body(5), BodyRejected("something is bad"))

    assert refused == []
    assert [SINK.split(each.data) for each in again] == [lines(5)[:2], lines(5)[2:]]
    assert [(each.points, each.first_us, each.last_us) for each in again] == [(2, 5, 7), (3, 5, 7)]


def test_a_point_that_stands_alone_is_refused() -> None:
    """With what the store says."""
    assert sifted(SINK, body(1), BodyRejected("hates it")) == ([(lines(1)[0], "hates it")], [])


def test_points_that_are_named_are_refused_and_the_others_sent_together() -> None:
    """Each with its own reason."""
    refused, again = sifted(SINK, body(4), BodyRejected("bad", bad={0: "first", 2: "third"}))

    assert list(refused) == [(lines(4)[0], "first"), (lines(4)[2], "third")]
    assert [SINK.split(each.data) for each in again] == [[lines(4)[1], lines(4)[3]]]


def test_a_store_may_name_every_point_of_a_body() -> None:
    """Nothing is left to be sent then."""
    refused, again = sifted(SINK, body(2), BodyRejected("two bad", bad={0: "one", 1: "two"}))

    assert list(refused) == [(lines(2)[0], "one"), (lines(2)[1], "two")]
    assert list(again) == []


@pytest.mark.parametrize(
    ("parts", "expected"), [(1, [7]), (2, [3, 4]), (3, [2, 2, 3]), (7, [1] * 7), (9, [1] * 7)]
)
def test_a_body_is_cut_into_parts_of_about_the_same_size(parts: int, expected: list[int]) -> None:
    """In its order, and never into more parts than it has points."""
    found = cut(SINK, body(7), parts)

    assert [each.points for each in found] == expected
    assert [line for each in found for line in SINK.split(each.data)] == lines(7)


def test_some_points_are_picked_one_by_one() -> None:
    """None of them twice, and all where there are fewer."""
    some = [SINK.split(each.data) for each in some_of(SINK, body(20), 5)]

    assert len(some) == len({line for (line,) in some} & set(lines(20))) == 5
    assert len(some_of(SINK, body(3), 5)) == 3


def test_bodies_are_joined_in_their_order() -> None:
    """The whole has the times of both."""
    first, second = Body(SINK.join(lines(2)), 2, 5, 7), Body(SINK.join(lines(1)), 1, 3, 6)

    joined = join(SINK, [first, second])

    assert SINK.split(joined.data) == [*lines(2), *lines(1)]
    assert (joined.points, joined.first_us, joined.last_us) == (3, 3, 7)
