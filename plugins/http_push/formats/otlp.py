"""OTLP over HTTP: what SDKs of OpenTelemetry, its Collector, Grafana Alloy and others send."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .extras import Extra
from .message import (
    FormatError,
    Found,
    MediaTypeError,
    Message,
    Reading,
    keep,
    mapping,
    parse_json,
    problem_of,
)
from .otlpmetrics import KINDS, Kind, name_of, values_of
from .otlpnaming import UnusableError, chosen, everything, merged, spelled
from .otlpoptions import Options

OTLP: Final = Extra(
    "otlp",
    {
        "google.protobuf": "protobuf",
        "opentelemetry.proto.collector.metrics.v1": "opentelemetry-proto",
    },
)
PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
NANOSECONDS: Final = 1e9
SCOPE_NAME: Final = "otel.scope.name"
SCOPE_VERSION: Final = "otel.scope.version"


@dataclass(frozen=True, slots=True)
class Around:
    """What is told once for many metrics.

    Attributes:
        scope: The tags that what measures them gives.
        resource: The tags that what is measured gives.
    """

    scope: Mapping[str, str]
    resource: Mapping[str, str]


def finder(options: Options) -> Callable[[Message], Found]:
    """Return what finds the readings of a request."""

    def find(message: Message) -> Found:
        found = Found()
        for metric, around in metrics_in(request_in(message), options):
            take(metric, around, options, found, message)
        return found

    return find


def metrics_in(request: Any, options: Options) -> Iterator[tuple[Any, Around]]:
    """Yield each metric of a request, with what is around it."""
    for of_resource in request.resource_metrics:
        resource = chosen(of_resource.resource.attributes, options.resource)
        for of_scope in of_resource.scope_metrics:
            scope = scope_of(of_scope.scope, options)
            for metric in of_scope.metrics:
                yield metric, Around(scope, resource)


def scope_of(scope: Any, options: Options) -> dict[str, str]:
    """Return the tags that a scope gives; its own name and version count as attributes of it."""
    own = {SCOPE_NAME: scope.name, SCOPE_VERSION: scope.version}
    tags = {options.scope(key): text for key, text in own.items() if options.scope(key) and text}
    return {**tags, **chosen(scope.attributes, options.scope)}


def take(metric: Any, around: Around, options: Options, found: Found, message: Message) -> None:
    """Add the readings of a metric to what was found; a data point is taken whole or not at all.

    Raises:
        TooLargeError: The readings take more memory than they may.
    """
    which = metric.WhichOneof("data")
    if which is None:
        found.reject(f"{metric.name!s:.80}: expected data of a known kind, got none")
        return
    data = getattr(metric, which)
    for point in data.data_points:
        try:
            readings = list(readings_of(point, metric, data, KINDS[which], around, options))
        except UnusableError as error:
            found.reject(f"{metric.name!s:.80}: {error}")
            continue
        problem = next(filter(None, (problem_of(each, message) for each in readings)), "")
        if problem:
            found.reject(problem)
            continue
        for each in readings:
            keep(each, found, message)


def readings_of(
    point: Any, metric: Any, data: Any, kind: Kind, around: Around, options: Options
) -> Iterator[Reading]:
    """Yield the readings of a data point.

    Raises:
        UnusableError: It cannot be stored.
    """
    if not point.time_unix_nano:
        raise UnusableError("expected a time_unix_nano, got none")
    name = spelled(name_of(metric, kind, data), options)
    tags = merged(
        {
            "point": chosen(point.attributes, everything),
            "scope": around.scope,
            "resource": around.resource,
        },
        options,
    )
    if options.unit_tag and metric.unit:
        tags.setdefault(options.unit_tag, metric.unit)
    time = point.time_unix_nano / NANOSECONDS
    for suffix, value, own in values_of(point, kind, buckets=options.buckets):
        yield time, f"{name}{suffix}", value, with_own(tags, own)


def with_own(tags: Mapping[str, str], own: Mapping[str, str]) -> Mapping[str, str]:
    """Return the tags of a value that has one of its own, such as the limit of a bucket.

    Raises:
        UnusableError: An attribute has its name.
    """
    if taken := tags.keys() & own.keys():
        raise UnusableError(f"expected no attribute {', '.join(taken)} of a histogram or summary")
    return {**tags, **own} if own else tags


def request_in(message: Message) -> Any:
    """Return the request in a message.

    Raises:
        MediaTypeError: It is said to be something else.
        FormatError: It is none.
    """
    from google.protobuf import json_format  # noqa: PLC0415 -- comes with an extra
    from google.protobuf.message import DecodeError  # noqa: PLC0415
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (  # noqa: PLC0415
        ExportMetricsServiceRequest,
    )

    request = ExportMetricsServiceRequest()
    try:
        if message.content_type == PROTOBUF:
            request.ParseFromString(message.document)
        elif message.content_type == JSON:
            # ParseDict itself takes a list or a text for a message without fields.
            document = dict(mapping(parse_json(message.document), "the body"))
            json_format.ParseDict(document, request, ignore_unknown_fields=True)
        else:
            raise MediaTypeError(
                f"Content-Type: expected {PROTOBUF} or {JSON}, got {message.content_type!r:.80}"
            )
    except (DecodeError, json_format.ParseError) as error:
        raise FormatError(f"expected an ExportMetricsServiceRequest: {error!s:.200}") from None
    return request
