"""Prometheus remote write to the push plugin: samples, labels, histograms, and the answers."""

from collections.abc import Mapping
from math import inf, nan
from struct import unpack
from typing import Final

import pytest

from tests.support.pushing import Push, Reply, pushing
from tests.support.wire import (
    field,
    sample,
    series_1,
    series_2,
    snappy,
    symbols,
    varint,
    zigzag,
)

PATH: Final = "/api/v1/write"
FIRST: Final = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
SECOND: Final = {
    "Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request",
    "Content-Encoding": "snappy",
}
TIME_MS: Final = 1_772_366_400_123
TIME: Final = 1_772_366_400.123
(STALE,) = unpack("<d", (0x7FF0000000000002).to_bytes(8, "little"))
UP: Final = {"__name__": "up", "job": "meters"}


async def write(push: Push, body: bytes, headers: Mapping[str, str] = FIRST) -> Reply:
    """Send a request."""
    return await push.post(PATH, key="k", data=snappy(body), headers=headers)


def written(reply: Reply) -> list[int]:
    """Return how many samples, histograms and exemplars are said to be written."""
    names = ("Samples", "Histograms", "Exemplars")
    return [int(reply.headers[f"X-Prometheus-Remote-Write-{each}-Written"]) for each in names]


async def test_samples_of_version_1_arrive(push: Push) -> None:
    """Labels become tags, milliseconds stay, and order means nothing."""
    late = field(2, sample(2.5, TIME_MS)) + field(2, sample(2.0, TIME_MS - 1000))
    exemplar = field(3, field(2, 7.0))
    body = series_1(UP, late, exemplar) + series_1(
        {"__name__": "x", "series": "s", "empty": ""}, field(2, sample(-1.0, TIME_MS))
    )

    reply = await write(push, body)

    assert (reply.status, reply.text, written(reply)) == (204, "", [3, 0, 0])
    assert push.readings == [
        (TIME, "up", 2.5, {"job": "meters"}),
        (TIME - 1, "up", 2.0, {"job": "meters"}),
        (TIME, "x", -1.0, {"exported_series": "s"}),
    ]


async def test_samples_of_version_2_arrive(push: Push) -> None:
    """Symbols are labels; metadata, start times and exemplars are left."""
    rest = field(4, field(2, 7.0)) + field(5, field(1, 1) + field(4, 4)) + field(6, 5)
    told = sample(2.5, TIME_MS) + field(3, TIME_MS - 60_000)
    body = symbols("", "__name__", "up", "job", "meters") + series_2(
        [1, 2, 3, 4], field(2, told), rest
    )

    reply = await write(push, body, SECOND)

    assert (reply.status, written(reply)) == (204, [1, 0, 0])
    assert push.readings == [(TIME, "up", 2.5, {"job": "meters"})]


async def test_a_series_is_known_again(push: Push) -> None:
    """Whatever is kept of labels, a series of others is another one."""
    for value, job in ((1.0, "a"), (2.0, "b"), (3.0, "a")):
        labels = {"__name__": "up", "job": job}
        await write(push, series_1(labels, field(2, sample(value, TIME_MS))))

    assert [(value, tags["job"]) for _, _, value, tags in push.readings] == [
        (1.0, "a"),
        (2.0, "b"),
        (3.0, "a"),
    ]


async def test_what_is_not_a_number_is_nothing(push: Push) -> None:
    """Markers of the end of a series count as written, or their sender would call them lost."""
    values = field(2, sample(STALE, TIME_MS)) + field(2, sample(nan, TIME_MS + 1))
    stale = field(4, field(3, STALE) + field(15, TIME_MS))

    reply = await write(push, series_1(UP, values, stale))

    assert (reply.status, written(reply), push.readings) == (204, [2, 1, 0], [])


async def test_nothing_and_metadata_alone_are_fine(push: Push) -> None:
    """Prometheus sends metadata by itself once a minute."""
    metadata = field(3, field(1, 1) + field(2, "up") + field(4, "Whether it is."))
    replies = [await write(push, metadata), await write(push, b"")]

    assert [reply.status for reply in replies] == [204, 204]


BAD: Final[dict[str, tuple[bytes, str]]] = {
    "infinite": (series_1(UP, field(2, sample(inf, TIME_MS))), "up: expected a finite number"),
    "no name": (series_1({"a": "b"}, field(2, sample(1.0, TIME_MS))), "__name__: expected"),
    "label twice": (
        series_1([("__name__", "x"), ("a", "b"), ("a", "c")], field(2, sample(1.0, TIME_MS))),
        "expected each label once, got 'a' twice",
    ),
    "label that no store keeps": (
        series_1({"__name__": "x", "a": "\n"}, field(2, sample(1.0, TIME_MS))),
        "expected printable labels",
    ),
    "label that is none": (
        field(1, field(1, b"\xff") + field(2, sample(1.0, TIME_MS))),
        "expected a prometheus.Label",
    ),
    "far future": (series_1(UP, field(2, sample(1.0, 10**18))), "up: expected"),
}


@pytest.mark.parametrize(("body", "problem"), BAD.values(), ids=BAD)
async def test_bad_samples_leave_the_others_alone(push: Push, body: bytes, problem: str) -> None:
    """The answer is 400, since they will never be taken, but the good ones are stored."""
    good = series_1({"__name__": "good"}, field(2, sample(1.0, TIME_MS)))

    reply = await write(push, body + good)

    assert (reply.status, written(reply)) == (400, [1, 0, 0])
    assert reply.text.startswith("1 samples are not stored: ")
    assert problem in reply.text
    assert [name for _, name, _, _ in push.readings] == ["good"]


@pytest.mark.parametrize(
    ("refs", "problem"),
    [([1, 2, 3], "in pairs"), ([1, 9], "labels_refs of symbols")],
)
async def test_bad_references_leave_the_others_alone(
    push: Push, refs: list[int], problem: str
) -> None:
    """A series that points beyond the symbols is one series less."""
    told = field(2, sample(1.0, TIME_MS))
    body = symbols("", "__name__", "up", "x") + series_2(refs, told) + series_2([1, 2], told)

    reply = await write(push, body, SECOND)

    assert (reply.status, written(reply)) == (400, [1, 0, 0])
    assert problem in reply.text


@pytest.mark.parametrize(
    ("body", "headers", "status", "text"),
    [
        (snappy(b"\xff"), FIRST, 400, "expected a prometheus.WriteRequest"),
        (b"no snappy", FIRST, 400, "compressed with snappy"),
        (b"", FIRST, 400, "compressed with snappy"),
        (snappy(symbols("")), FIRST, 400, "without any series"),
        (snappy(series_1(UP)), SECOND, 400, "without any symbols"),
        (snappy(b""), {**FIRST, "Content-Type": "text/plain"}, 415, "Content-Type: expected"),
        (
            snappy(b""),
            {**FIRST, "Content-Type": "application/x-protobuf;proto=other.Request"},
            415,
            "Content-Type: expected",
        ),
        (b"", {**FIRST, "Content-Encoding": "zstd"}, 415, "expected snappy, got 'zstd'"),
        (b"", {**FIRST, "Content-Encoding": "gzip"}, 415, "expected snappy, got 'gzip'"),
    ],
)
async def test_what_is_no_request_is_told(
    push: Push, body: bytes, headers: Mapping[str, str], status: int, text: str
) -> None:
    """A sender of version 2 falls back to 1 for a 415, and vmagent from zstd to snappy."""
    reply = await push.post(PATH, key="k", data=body, headers=headers)

    assert (reply.status, written(reply)) == (status, [0, 0, 0])
    assert text in reply.text


@pytest.mark.parametrize(
    "told",
    [
        "application/x-protobuf; proto=prometheus.WriteRequest",
        'application/x-protobuf;proto="prometheus.WriteRequest"',
        "Application/X-Protobuf",
    ],
)
async def test_the_first_version_has_several_names(push: Push, told: str) -> None:
    """Each of them is answered alike."""
    body = series_1(UP, field(2, sample(1.0, TIME_MS)))

    assert (await write(push, body, {**FIRST, "Content-Type": told})).status == 204
    assert len(push.readings) == 1


async def test_large_bodies_are_refused_before_they_are_unpacked() -> None:
    """What a body says that it becomes is believed only as a reason to refuse it."""
    zeros = snappy(bytes(5000))
    claims = varint(2**32 - 1) + b"\0"
    async with pushing(max_body=2000) as push:
        replies = [
            await push.post(PATH, data=body, headers=FIRST) for body in (zeros, claims, bytes(2001))
        ]

    assert len(zeros) < 2000
    assert [reply.status for reply in replies] == [413, 413, 413]


async def test_readings_that_need_too_much_memory_are_refused() -> None:
    """Small samples become large readings."""
    many = b"".join(field(2, sample(1.0, TIME_MS + n)) for n in range(50))
    async with pushing(max_body=2000, max_waiting_bytes=2000) as push:
        reply = await push.post(PATH, data=snappy(series_1(UP, many)), headers=FIRST)

    assert (reply.status, "send fewer" in reply.text) == (413, True)


@pytest.mark.parametrize(("count", "status"), [(25_000, 204), (30_000, 413)])
async def test_one_series_is_bounded_too(push: Push, count: int, status: int) -> None:
    """Its samples are objects at the same time, which take many times the memory."""
    one = field(2, sample(1.0, TIME_MS))
    body = series_1(UP, *[one] * count)

    reply = await write(push, body)

    assert (reply.status, len(push.readings)) == (status, count if status == 204 else 0)


async def test_no_more_series_are_looked_at_than_could_have_a_sample() -> None:
    """Nothing takes two bytes on the wire, and looking at it takes its time."""
    async with pushing(max_body=2000, max_waiting_bytes=2000) as push:
        replies = [
            await push.post(PATH, data=snappy(field(1, b"") * count), headers=FIRST)
            for count in (20, 21)
        ]

    assert [reply.status for reply in replies] == [204, 413]


async def test_what_may_be_taken_later_is_503() -> None:
    """Prometheus throws away what is answered with any 4xx, 429 included."""
    body = snappy(series_1(UP, field(2, sample(1.0, TIME_MS))))
    async with pushing(rate=1e-6, answer_within="20ms") as push:
        push.ctx.safe.clear()
        unsafe = await push.post(PATH, data=body, headers=FIRST)
        one_too_many = await push.post(PATH, data=body, headers=SECOND)

    assert [(each.status, each.headers["Retry-After"]) for each in (unsafe, one_too_many)] == [
        (503, "5"),
        (503, "1"),
    ]
    assert written(one_too_many) == [0, 0, 0]


async def test_a_wrong_key_and_method_are_told(push: Push) -> None:
    """No body is read before."""
    wrong = await push.post(PATH, key="other", data=b"", headers=FIRST)
    got = await push.get(PATH, key="k")

    assert (wrong.status, got.status, got.headers["Allow"]) == (401, 405, "POST")


def spans(number: int, *pairs: tuple[int, int]) -> bytes:
    """Return spans of buckets, each by its offset and its length."""
    return b"".join(
        field(number, field(1, zigzag(offset)) + field(2, length)) for offset, length in pairs
    )


def packed(number: int, *deltas: int) -> bytes:
    """Return counts of buckets as differences."""
    return field(number, b"".join(varint(zigzag(each)) for each in deltas))


def histogram(*fields: bytes) -> bytes:
    """Return a native histogram of seven values whose sum is 12.5."""
    return field(1, 7) + field(3, 12.5) + b"".join(fields) + field(15, TIME_MS)


async def test_native_histograms_become_series(push: Push) -> None:
    """There is a limit at both ends of each bucket in which there is something."""
    told = histogram(
        field(4, zigzag(0)),
        field(5, 0.001),
        field(6, 1),
        spans(8, (2, 1)),
        packed(9, 1),
        spans(11, (0, 1), (2, 2)),
        packed(12, 1, 1, 0),
    )

    reply = await write(push, series_1(UP, field(4, told)))

    assert (reply.status, written(reply)) == (204, [0, 1, 0])
    assert {(name, value, tags.get("le")) for _, name, value, tags in push.readings} == {
        ("up_count", 7.0, None),
        ("up_sum", 12.5, None),
        ("up_bucket", 0.0, "-4"),
        ("up_bucket", 1.0, "-2"),
        ("up_bucket", 1.0, "-0.001"),
        ("up_bucket", 2.0, "0.001"),
        ("up_bucket", 2.0, "0.5"),
        ("up_bucket", 3.0, "1"),
        ("up_bucket", 3.0, "4"),
        ("up_bucket", 5.0, "8"),
        ("up_bucket", 7.0, "16"),
        ("up_bucket", 7.0, "+Inf"),
    }


async def test_custom_limits_are_their_own(push: Push) -> None:
    """Such a histogram is a classic one in another form; version 2 has it at another number."""
    told = histogram(
        field(4, zigzag(-53)), spans(11, (0, 1), (1, 1)), packed(12, 3, 1), field(16, 0.5)
    ) + field(16, 2.5)
    body = symbols("", "__name__", "up") + series_2([1, 2], field(3, told))

    reply = await write(push, body, SECOND)

    assert (reply.status, written(reply)) == (204, [0, 1, 0])
    buckets = {tags["le"]: v for _, name, v, tags in push.readings if name == "up_bucket"}
    assert buckets == {"0.5": 3.0, "2.5": 3.0, "+Inf": 7.0}


async def test_counts_may_be_floats(push: Push) -> None:
    """Rules of Prometheus make such histograms."""
    told = b"".join(
        (
            field(2, 1.5), field(3, 3.0), spans(11, (1, 1)), field(13, 1.5), field(15, TIME_MS),
        )
    )  # fmt: skip

    await write(push, series_1(UP, field(4, told)))

    assert {(name, value, tags.get("le")) for _, name, value, tags in push.readings} >= {
        ("up_count", 1.5, None),
        ("up_bucket", 1.5, "2"),
    }


@pytest.mark.parametrize(
    "fields",
    [
        spans(11, (0, 2)) + packed(12, 1),
        field(4, zigzag(-53)) + spans(11, (5, 1)) + packed(12, 1),
        field(4, zigzag(-2000)) + spans(11, (0, 1)) + packed(12, 1),
        spans(11, (0, 1), (-1, 1)) + packed(12, 1, 0),
    ],
)
async def test_histograms_that_make_no_sense_are_rejected(push: Push, fields: bytes) -> None:
    """Its neighbours are stored."""
    good = series_1({"__name__": "good"}, field(2, sample(1.0, TIME_MS)))

    reply = await write(push, series_1(UP, field(4, histogram(fields))) + good)

    assert (reply.status, written(reply)) == (400, [1, 0, 0])
    assert [name for _, name, _, _ in push.readings] == ["good"]


async def test_spans_cost_no_more_than_their_counts(push: Push) -> None:
    """A span may claim a length that nothing fills."""
    told = histogram(spans(11, (0, 2**32 - 1)))

    reply = await write(push, series_1(UP, field(4, told)))

    assert (reply.status, push.readings) == (400, [])
