"""The payloads of Sparkplug B: its protobuf message, and what a metric means as a number.

Only the fields that are read are declared; protobuf skips the others. It comes with an extra:
``pip install 'ingestd[sparkplug]'``.
"""

from collections.abc import Iterator
from typing import Any, Final

from ingestd.plugins._protobuf import Tables, classes

MISSING: Final = (
    "topics: expected protobuf to be installed for `type: sparkplug`; "
    "pip install 'ingestd[sparkplug]'"
)
SHAPES: Final[Tables] = {
    "Payload": {
        "timestamp": (1, "uint64"),
        "metrics": (2, "repeated Metric"),
        "seq": (3, "uint64"),
        "uuid": (4, "string"),
    },
    "Metric": {
        "name": (1, "string"),
        "alias": (2, "uint64"),
        "timestamp": (3, "uint64"),
        "datatype": (4, "uint32"),
        "is_null": (7, "bool"),
        "properties": (9, "Properties"),
        "int_value": (10, "uint32"),
        "long_value": (11, "uint64"),
        "float_value": (12, "float"),
        "double_value": (13, "double"),
        "boolean_value": (14, "bool"),
        "string_value": (15, "string"),
    },
    "Properties": {"keys": (1, "repeated string"), "values": (2, "repeated Property")},
    "Property": {
        "int_value": (3, "uint32"),
        "long_value": (4, "uint64"),
        "string_value": (8, "string"),
    },
}
BITS: Final = {1: 8, 2: 16, 3: 32, 4: 64, 5: 8, 6: 16, 7: 32, 8: 64}  # of whole numbers
UNSIGNED: Final = {5, 6, 7, 8}
FLOATS: Final = {9, 10}
BOOLEAN: Final = 11
TEXTS: Final = {12, 14, 15}
DATE_TIME: Final = 13  # in milliseconds
GOOD: Final = 192  # of the property Quality


def payload_class() -> Any:
    """Return the class of payloads.

    Raises:
        ValueError: protobuf is not installed.
    """
    try:
        return classes("ingestd.sparkplug", SHAPES, syntax="proto2")["Payload"]
    except ImportError:
        raise ValueError(MISSING) from None


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
