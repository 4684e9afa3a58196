"""Classes for messages of protobuf, from tables of their fields.

For protocols whose own classes no package has. A field may be written as ``bytes`` where its
protocol has a message: both look alike on the wire, and what is not looked into costs nothing.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from google.protobuf.descriptor_pb2 import DescriptorProto

REPEATED: Final = "repeated "
# Message -> field -> its number, and its type as a .proto file has it.
Fields = Mapping[str, tuple[int, str]]
Tables = Mapping[str, Fields]


def classes(package: str, tables: Tables, *, syntax: str = "proto3") -> Mapping[str, Any]:
    """Return the class of each message.

    Args:
        package: A name for all of them.
        tables: Their fields.
        syntax: With ``proto2`` it is known of each field whether it was there.

    Raises:
        ImportError: protobuf is not installed.
    """
    frozen = tuple((name, tuple(fields.items())) for name, fields in tables.items())
    return _classes(package, frozen, syntax)


@cache
def _classes(
    package: str, tables: tuple[tuple[str, tuple[Any, ...]], ...], syntax: str
) -> Mapping[str, Any]:
    from google.protobuf import (  # noqa: PLC0415 -- comes with an extra
        descriptor_pb2,
        descriptor_pool,
        message_factory,
    )

    file = descriptor_pb2.FileDescriptorProto(
        name=f"{package}.proto", package=package, syntax=syntax
    )
    for name, fields in tables:
        _describe(file.message_type.add(name=name), package, dict(fields))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))
        for name, _ in tables
    }


def _describe(message: "DescriptorProto", package: str, fields: Fields) -> None:
    """Write the fields of a message as protobuf itself describes them."""
    for name, (number, written) in fields.items():
        kind = written.removeprefix(REPEATED)
        field = message.field.add(name=name, number=number)
        field.label = field.LABEL_REPEATED if written.startswith(REPEATED) else field.LABEL_OPTIONAL
        if kind[0].isupper():
            field.type, field.type_name = field.TYPE_MESSAGE, f".{package}.{kind}"
        else:
            field.type = field.Type.Value(f"TYPE_{kind.upper()}")
