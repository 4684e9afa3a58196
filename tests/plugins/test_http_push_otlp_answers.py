"""OTLP as its protocol says it, sent to the push plugin by hand: every kind, and every answer."""

import asyncio
import gzip
import json
from typing import Any, Final

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from tests.support.pushing import Push, Reply, pushing

PATH: Final = "/v1/metrics"
PROTOBUF: Final = {"Content-Type": "application/x-protobuf"}
JSON: Final = {"Content-Type": "application/json"}
TIME: Final = 1_772_366_400.123457
AT: Final = {"timeUnixNano": "1772366400123456789"}


def request(*metrics: dict[str, Any], **resource: str) -> dict[str, Any]:
    """Return a request of one resource."""
    attributes = [{"key": key, "value": {"stringValue": text}} for key, text in resource.items()]
    scopes = [{"scope": {"name": "lib"}, "metrics": list(metrics)}]
    return {"resourceMetrics": [{"resource": {"attributes": attributes}, "scopeMetrics": scopes}]}


def gauge(name: str = "g", **point: Any) -> dict[str, Any]:
    """Return a gauge of one data point."""
    return {"name": name, "gauge": {"dataPoints": [{**AT, "asDouble": 1.5, **point}]}}


def attributes(**values: Any) -> dict[str, Any]:
    """Return the attributes of a data point."""
    return {"attributes": [{"key": key, "value": value} for key, value in values.items()]}


async def export(push: Push, document: Any) -> Reply:
    """Send a request as JSON."""
    return await push.post(PATH, key="k", data=json.dumps(document), headers=JSON)


def told(push: Push) -> list[tuple[Any, ...]]:
    """Return names, values and tags."""
    return [reading[1:] for reading in push.readings]


async def test_times_are_kept_to_the_microsecond(push: Push) -> None:
    """No float has room for nanoseconds."""
    reply = await export(push, request(gauge()))

    assert (reply.status, json.loads(reply.text)) == (200, {})
    ((time, *rest),) = push.readings
    assert (round(time, 6), rest) == (TIME, ["g", 1.5, {}])


async def test_summaries_become_series(push: Push) -> None:
    """Quantiles have the name of the metric."""
    quantiles = [{"quantile": 0.5, "value": 2.0}, {"quantile": 1, "value": 9}]
    point = {**AT, "count": "4", "sum": 11, "quantileValues": quantiles}
    await export(push, request({"name": "s", "summary": {"dataPoints": [point]}}))

    assert told(push) == [
        ("s_count", 4.0, {}),
        ("s_sum", 11.0, {}),
        ("s", 2.0, {"quantile": "0.5"}),
        ("s", 9.0, {"quantile": "1"}),
    ]


async def test_exponential_histograms_have_limits_on_both_sides(push: Push) -> None:
    """Below zero, around it and above."""
    point = {
        **AT,
        "count": "6",
        "scale": 0,
        "zeroCount": "1",
        "zeroThreshold": 0.25,
        "negative": {"offset": 1, "bucketCounts": ["2"]},
        "positive": {"offset": 0, "bucketCounts": ["1", "0", "0", "2"]},
    }
    data = {"dataPoints": [point], "aggregationTemporality": 2}
    await export(push, request({"name": "h", "exponentialHistogram": data}))

    buckets = [(tags["le"], value) for name, value, tags in told(push) if name == "h_bucket"]
    assert buckets == [
        ("-4", 0.0), ("-2", 2.0), ("-0.25", 2.0), ("0.25", 3.0), ("1", 3.0), ("2", 4.0),
        ("8", 4.0), ("16", 6.0), ("+Inf", 6.0),
    ]  # fmt: skip


async def test_buckets_can_be_left_out() -> None:
    """They are most of the series."""
    point = {**AT, "count": "2", "sum": 3, "bucketCounts": ["1", "1"], "explicitBounds": [1]}
    histogram = {
        "name": "h",
        "histogram": {"dataPoints": [point], "aggregationTemporality": 2},
    }
    async with pushing(otlp={"buckets": False}) as push:
        await export(push, request(histogram))

    assert told(push) == [("h_count", 2.0, {}), ("h_sum", 3.0, {})]


async def test_attributes_of_any_kind_are_texts(push: Push) -> None:
    """What is no text is written as JSON; what is empty is left out."""
    values = attributes(
        text={"stringValue": "é"},
        empty={"stringValue": ""},
        nothing={},
        number={"intValue": "7"},
        double={"doubleValue": 0.5},
        list={"arrayValue": {"values": [{"intValue": 1}, {}]}},
        map={"kvlistValue": {"values": [{"key": "a", "value": {"boolValue": False}}]}},
        bytes={"bytesValue": "AAE="},
        series={"stringValue": "s"},
    )
    await export(push, request(gauge(**values)))

    ((_, _, tags),) = told(push)
    assert tags == {
        "text": "é",
        "number": "7",
        "double": "0.5",
        "list": "[1, null]",
        "map": '{"a": false}',
        "bytes": "AAE=",
        "exported_series": "s",
    }


async def test_no_attribute_hides_another(push: Push) -> None:
    """Two resources whose points have an attribute of the same name stay two series."""
    point = attributes(host={"stringValue": "seen"})
    documents = [request(gauge(**point), host=host) for host in ("a", "b")]
    for document in documents:
        await export(push, document)

    assert [tags for _, _, tags in told(push)] == [
        {"host": "seen", "resource.host": "a"},
        {"host": "seen", "resource.host": "b"},
    ]


@pytest.mark.parametrize(
    ("point", "stored"),
    [
        ({"flags": 1}, 0),
        ({"asDouble": "NaN"}, 0),
        ({"flags": 2}, 1),
        ({"exemplars": [{"traceId": "5B8EFFF798038103D269B633813FC60C", "asDouble": 1}]}, 1),
        ({"somethingNew": {"x": 1}}, 1),
    ],
)
async def test_points_without_a_value_are_nothing(
    push: Push, point: dict[str, Any], stored: int
) -> None:
    """They are no errors; what is not known is left."""
    reply = await export(push, request(gauge(**point)))

    assert (reply.status, json.loads(reply.text)) == (200, {})
    assert len(push.readings) == stored


HISTOGRAM: Final = {**AT, "count": "2", "bucketCounts": ["1", "1"], "explicitBounds": [1]}
BAD: Final = [
    ({"asDouble": "Infinity"}, "g: expected finite numbers, got inf"),
    ({"timeUnixNano": "0"}, "g: expected a time_unix_nano, got none"),
    ({"timeUnixNano": "18446744073709551615"}, "g: expected a year"),
    (attributes(a={"stringValue": "\n"}), "g: expected printable attributes"),
    (attributes(a={"stringValue": "x" * 1025}), "g: expected printable attributes"),
]


@pytest.mark.parametrize(("point", "problem"), BAD)
async def test_bad_points_leave_the_others_alone(
    push: Push, point: dict[str, Any], problem: str
) -> None:
    """The answer says how many, and why; there is nothing to be sent again."""
    reply = await export(push, request(gauge(**point), gauge("good")))

    assert reply.status == 200
    said = json.loads(reply.text)["partialSuccess"]
    assert said["rejectedDataPoints"] == "1"
    assert said["errorMessage"].startswith(problem)
    assert [name for name, _, _ in told(push)] == ["good"]


@pytest.mark.parametrize(
    ("metric", "problem"),
    [
        ({"name": "m"}, "m: expected data of a known kind"),
        ({"name": "m", "gauge": {"dataPoints": [AT]}}, "m: expected as_double or as_int"),
        (
            {"name": "m", "sum": {"dataPoints": [{**AT, "asInt": 1}]}},
            "m: expected an aggregation_temporality",
        ),
        (gauge("\n"), "expected a printable name"),
        (
            {
                "name": "m",
                "histogram": {
                    "dataPoints": [{**HISTOGRAM, "explicitBounds": [1, 2, 3]}],
                    "aggregationTemporality": 2,
                },
            },
            "m: expected 4 buckets, got 2",
        ),
        (
            {
                "name": "m",
                "histogram": {
                    "dataPoints": [
                        {**HISTOGRAM, "explicitBounds": [2, 1], "bucketCounts": [1, 1, 0]}
                    ],
                    "aggregationTemporality": 2,
                },
            },
            "m: expected limits that rise",
        ),
        (
            {
                "name": "m",
                "histogram": {
                    "dataPoints": [{**HISTOGRAM, **attributes(le={"stringValue": "1"})}],
                    "aggregationTemporality": 2,
                },
            },
            "m: expected no attribute le",
        ),
        (
            {
                "name": "m",
                "exponentialHistogram": {
                    "dataPoints": [
                        {
                            **AT,
                            "count": 1,
                            "scale": -9,
                            "positive": {"offset": 9, "bucketCounts": [1]},
                        }
                    ],
                    "aggregationTemporality": 2,
                },
            },
            "m: ",
        ),
    ],
)
async def test_a_request_of_which_nothing_is_good_is_400(
    push: Push, metric: dict[str, Any], problem: str
) -> None:
    """The sender does not come again with it."""
    reply = await export(push, request(metric))

    assert reply.status == 400
    assert reply.headers["Content-Type"] == "application/json"
    assert json.loads(reply.text)["message"].startswith(problem)
    assert push.readings == []


async def test_an_empty_request_is_fine(push: Push) -> None:
    """In both encodings."""
    replies = [
        await push.post(PATH, key="k", data=b"", headers=PROTOBUF),
        await export(push, {}),
    ]

    assert [(reply.status, reply.text) for reply in replies] == [(200, ""), (200, "{}")]


async def test_protobuf_is_answered_with_protobuf(push: Push) -> None:
    """Partial success and errors, too."""
    document = json_format.ParseDict(
        request(gauge(), gauge(timeUnixNano="0")), ExportMetricsServiceRequest()
    )
    async with push.ctx.http.post(
        f"{push.url}{PATH}",
        data=gzip.compress(document.SerializeToString()),
        headers={**PROTOBUF, "Content-Encoding": "gzip", "store-key": "k"},
    ) as reply:
        assert (reply.status, reply.content_type) == (200, "application/x-protobuf")
        response = ExportMetricsServiceResponse.FromString(await reply.read())

    assert response.partial_success.rejected_data_points == 1
    assert "time_unix_nano" in response.partial_success.error_message


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        (PROTOBUF, b"\xff", 400),
        (JSON, b"{", 400),
        (JSON, b"[]", 400),
        (JSON, b'["resourceMetrics"]', 400),
        (JSON, b"\xff", 400),
        (JSON, b'{"resourceMetrics": 7}', 400),
        (JSON, b'{"resourceMetrics":' * 3000, 400),
        (JSON, b"[" * 100_000, 400),
        ({"Content-Type": "text/plain"}, b"", 415),
        ({**PROTOBUF, "Content-Encoding": "snappy"}, b"", 415),
        ({**PROTOBUF, "Content-Encoding": "gzip"}, b"no gzip", 400),
    ],
)
async def test_errors_are_statuses(
    push: Push, headers: dict[str, str], body: bytes, status: int
) -> None:
    """In the encoding in which the sender wrote."""
    async with push.ctx.http.post(
        f"{push.url}{PATH}", data=body, headers={**headers, "store-key": "k"}
    ) as reply:
        said = await reply.read()

    assert reply.status == status
    if headers is JSON:
        assert json.loads(said)["message"]
    else:
        assert reply.content_type == "application/x-protobuf"
        assert said.startswith(b"\x12")  # field 2, a text


async def test_what_may_be_taken_later_is_said_so_that_it_is_understood() -> None:
    """Senders come again after 429 and 503 alone, not after the 408 that others get."""
    body = json.dumps(request(gauge()))
    async with pushing(rate=1e-6, answer_within="20ms") as push:
        push.ctx.safe.clear()
        unsafe = await push.post(PATH, data=body, headers=JSON)
        one_too_many = await push.post(PATH, data=body, headers=JSON)
    async with pushing(read_within="20ms") as push:
        never = asyncio.get_running_loop().create_future()

        async def slowly() -> Any:
            yield b"{"
            await never

        too_slow = await push.post(PATH, data=slowly(), headers=JSON)

    assert [(each.status, each.headers["Retry-After"]) for each in (unsafe, one_too_many)] == [
        (503, "5"),
        (429, "1"),
    ]
    assert (too_slow.status, "Retry-After" in too_slow.headers) == (503, True)


async def test_bodies_are_bounded_after_inflating_too() -> None:
    """413 is final for the sender, which may send less at once."""
    packed = gzip.compress(json.dumps(request(gauge("x" * 900))).encode())
    async with pushing(max_body=900) as push:
        reply = await push.post(PATH, data=packed, headers={**JSON, "Content-Encoding": "gzip"})

    assert len(packed) < 900
    assert (reply.status, json.loads(reply.text)["message"]) == (
        413,
        "expected a body of at most 900 bytes",
    )


async def test_a_wrong_key_and_method_are_told(push: Push) -> None:
    """As statuses."""
    wrong = await push.post(PATH, key="other", data=b"{}", headers=JSON)
    got = await push.get(PATH, key="k")

    assert (wrong.status, got.status, got.headers["Allow"]) == (401, 405, "POST")
    assert "store key" in json.loads(wrong.text)["message"]
