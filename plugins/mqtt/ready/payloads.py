"""The payloads of Sparkplug B: its protobuf message, and what a metric means as a number.

Only the fields that are read are declared; protobuf skips the others. It comes with an extra:
``pip install 'ingestd[sparkplug]'``.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

MISSING: Final = (
    "topics: expected protobuf to be installed for `type: sparkplug`; "
    "pip install 'ingestd[sparkplug]'"
)
UINT32, UINT64, FLOAT, DOUBLE, BOOL, STRING, BYTES, MESSAGE = 13, 4, 2, 1, 8, 9, 12, 11
OPTIONAL, REPEATED = 1, 3
Field = tuple[str, int, int, int, str]
# Name, number, type, label and, if it is a message, of which kind.
SHAPES: Final[dict[str, tuple[Field, ...]]] = {
    "Payload": (
        ("timestamp", 1, UINT64, OPTIONAL, ""),
        ("metrics", 2, MESSAGE, REPEATED, "Metric"),
        ("seq", 3, UINT64, OPTIONAL, ""),
        ("uuid", 4, STRING, OPTIONAL, ""),
    ),
    "Metric": (
        ("name", 1, STRING, OPTIONAL, ""),
        ("alias", 2, UINT64, OPTIONAL, ""),
        ("timestamp", 3, UINT64, OPTIONAL, ""),
        ("datatype", 4, UINT32, OPTIONAL, ""),
        ("is_historical", 5, BOOL, OPTIONAL, ""),
        ("is_null", 7, BOOL, OPTIONAL, ""),
        ("properties", 9, MESSAGE, OPTIONAL, "Properties"),
        ("int_value", 10, UINT32, OPTIONAL, ""),
        ("long_value", 11, UINT64, OPTIONAL, ""),
        ("float_value", 12, FLOAT, OPTIONAL, ""),
        ("double_value", 13, DOUBLE, OPTIONAL, ""),
        ("boolean_value", 14, BOOL, OPTIONAL, ""),
        ("string_value", 15, STRING, OPTIONAL, ""),
        ("bytes_value", 16, BYTES, OPTIONAL, ""),
        ("dataset_value", 17, BYTES, OPTIONAL, ""),
        ("template_value", 18, BYTES, OPTIONAL, ""),
    ),
    "Properties": (
        ("keys", 1, STRING, REPEATED, ""),
        ("values", 2, MESSAGE, REPEATED, "Property"),
    ),
    "Property": (
        ("is_null", 2, BOOL, OPTIONAL, ""),
        ("int_value", 3, UINT32, OPTIONAL, ""),
        ("long_value", 4, UINT64, OPTIONAL, ""),
        ("string_value", 8, STRING, OPTIONAL, ""),
    ),
}
BITS: Final = {1: 8, 2: 16, 3: 32, 4: 64, 5: 8, 6: 16, 7: 32, 8: 64}  # of whole numbers
UNSIGNED: Final = {5, 6, 7, 8}
FLOATS: Final = {9, 10}
BOOLEAN: Final = 11
TEXTS: Final = {12, 14, 15}
DATE_TIME: Final = 13  # in milliseconds
GOOD: Final = 192  # of the property Quality


@cache
def payload_class() -> Any:
    """Return the class of payloads.

    Raises:
        ValueError: protobuf is not installed.
    """
    try:
        from google.protobuf import (  # noqa: PLC0415 -- an extra
            descriptor_pb2,
            descriptor_pool,
            message_factory,
        )
    except ImportError:
        raise ValueError(MISSING) from None
    file = descriptor_pb2.FileDescriptorProto(
        name="ingestd/sparkplug.proto", package="ingestd.sparkplug", syntax="proto2"
    )
    for name, fields in SHAPES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, label, of in fields:
            named = {"type_name": f".ingestd.sparkplug.{of}"} if of else {}
            message.field.add(name=field, number=number, type=kind, label=label, **named)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("ingestd.sparkplug.Payload"))


def payload_of(data: bytes) -> Any:
    """Return the payload in a message.

    Raises:
        ValueError: There is none.
    """
    try:
        return payload_class().FromString(data)
    except Exception as error:
        raise ValueError(f"expected a payload of Sparkplug B, got {data[:40]!r}") from error


def rebirth(now_ms: int) -> bytes:
    """Return the payload that asks a node for its birth."""
    payload = payload_class()(timestamp=now_ms)
    payload.metrics.add(
        name="Node Control/Rebirth", timestamp=now_ms, datatype=BOOLEAN, boolean_value=True
    )
    return bytes(payload.SerializeToString())


def properties_of(metric: Any) -> Iterator[tuple[str, Any]]:
    """Yield name and value of the properties of a metric that are texts or whole numbers."""
    for name, each in zip(metric.properties.keys, metric.properties.values, strict=False):
        for field in ("string_value", "int_value", "long_value"):
            if each.HasField(field):
                yield name, getattr(each, field)


def number_of(metric: Any, datatype: int) -> Any:
    """Return the value of a metric as a number, None if it has none, or a text.

    Args:
        metric: As the payload has it.
        datatype: The number of its type, which the birth may have said.
    """
    quality = dict(properties_of(metric)).get("Quality", GOOD)
    if metric.is_null or (isinstance(quality, int) and quality != GOOD):
        return None
    whole = metric.long_value if metric.HasField("long_value") else metric.int_value
    if datatype in BITS:
        return whole if datatype in UNSIGNED else signed(whole, BITS[datatype])
    if datatype == DATE_TIME:
        return whole / 1000
    if datatype in FLOATS:
        return metric.double_value if metric.HasField("double_value") else metric.float_value
    others = {BOOLEAN: metric.boolean_value, **dict.fromkeys(TEXTS, metric.string_value)}
    return others.get(datatype, f"a value of datatype {datatype}")


def signed(whole: int, bits: int) -> int:
    """Return a number whose sign is in its highest bit.

    Some publishers write short negative numbers with as many bits as they have, others with 32.
    """
    low = whole & ((1 << bits) - 1)
    return low - (1 << bits) if low >> (bits - 1) else low
