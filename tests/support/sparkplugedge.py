"""An edge node of Sparkplug B, with its births, its death, its sequence and protobuf."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import aiomqtt
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
)
from google.protobuf.text_format import Parse

# As the specification has them, apart from what no test needs.
MESSAGES: Final = """
name: "edge.proto" package: "edge" syntax: "proto2"
message_type { name: "Payload"
  field { name: "timestamp" number: 1 type: TYPE_UINT64 label: LABEL_OPTIONAL }
  field { name: "metrics" number: 2 type: TYPE_MESSAGE label: LABEL_REPEATED
          type_name: ".edge.Metric" }
  field { name: "seq" number: 3 type: TYPE_UINT64 label: LABEL_OPTIONAL }
  field { name: "uuid" number: 4 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "body" number: 5 type: TYPE_BYTES label: LABEL_OPTIONAL } }
message_type { name: "Metric"
  field { name: "name" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "alias" number: 2 type: TYPE_UINT64 label: LABEL_OPTIONAL }
  field { name: "timestamp" number: 3 type: TYPE_UINT64 label: LABEL_OPTIONAL }
  field { name: "datatype" number: 4 type: TYPE_UINT32 label: LABEL_OPTIONAL }
  field { name: "is_historical" number: 5 type: TYPE_BOOL label: LABEL_OPTIONAL }
  field { name: "is_transient" number: 6 type: TYPE_BOOL label: LABEL_OPTIONAL }
  field { name: "is_null" number: 7 type: TYPE_BOOL label: LABEL_OPTIONAL }
  field { name: "properties" number: 9 type: TYPE_MESSAGE label: LABEL_OPTIONAL
          type_name: ".edge.Set" }
  oneof_decl { name: "value" }
  field { name: "int_value" number: 10 type: TYPE_UINT32 label: LABEL_OPTIONAL oneof_index: 0 }
  field { name: "long_value" number: 11 type: TYPE_UINT64 label: LABEL_OPTIONAL oneof_index: 0 }
  field { name: "float_value" number: 12 type: TYPE_FLOAT label: LABEL_OPTIONAL oneof_index: 0 }
  field { name: "double_value" number: 13 type: TYPE_DOUBLE label: LABEL_OPTIONAL oneof_index: 0 }
  field { name: "boolean_value" number: 14 type: TYPE_BOOL label: LABEL_OPTIONAL oneof_index: 0 }
  field { name: "string_value" number: 15 type: TYPE_STRING label: LABEL_OPTIONAL oneof_index: 0 }
  field { name: "bytes_value" number: 16 type: TYPE_BYTES label: LABEL_OPTIONAL oneof_index: 0 }
  field { name: "dataset_value" number: 17 type: TYPE_MESSAGE label: LABEL_OPTIONAL oneof_index: 0
          type_name: ".edge.DataSet" } }
message_type { name: "DataSet"
  field { name: "num_of_columns" number: 1 type: TYPE_UINT64 label: LABEL_OPTIONAL }
  field { name: "columns" number: 2 type: TYPE_STRING label: LABEL_REPEATED } }
message_type { name: "Set"
  field { name: "keys" number: 1 type: TYPE_STRING label: LABEL_REPEATED }
  field { name: "values" number: 2 type: TYPE_MESSAGE label: LABEL_REPEATED
          type_name: ".edge.Property" } }
message_type { name: "Property"
  field { name: "type" number: 1 type: TYPE_UINT32 label: LABEL_OPTIONAL }
  field { name: "is_null" number: 2 type: TYPE_BOOL label: LABEL_OPTIONAL }
  oneof_decl { name: "value" }
  field { name: "int_value" number: 3 type: TYPE_UINT32 label: LABEL_OPTIONAL oneof_index: 0 }
  field { name: "long_value" number: 4 type: TYPE_UINT64 label: LABEL_OPTIONAL oneof_index: 0 }
  field { name: "string_value" number: 8 type: TYPE_STRING label: LABEL_OPTIONAL oneof_index: 0 } }
"""
INT8, INT16, INT32, INT64, UINT32, DOUBLE, BOOLEAN, STRING = 1, 2, 3, 4, 7, 10, 11, 12
DATE_TIME, DATA_SET = 13, 16
FIRST_MS: Final = 1_782_900_900_000  # 2026-07-01T10:15:00Z

Metric = Mapping[str, Any]


def payload_class() -> Any:
    """Return the class of payloads."""
    pool = descriptor_pool.DescriptorPool()
    pool.Add(Parse(MESSAGES, descriptor_pb2.FileDescriptorProto()))
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("edge.Payload"))


PAYLOAD: Final = payload_class()


def payload(*metrics: Metric, seq: int | None = None, **fields: Any) -> bytes:
    """Return a payload; a metric may have ``properties`` as a dict of texts and numbers."""
    found = PAYLOAD(timestamp=FIRST_MS, **fields)
    if seq is not None:
        found.seq = seq
    for metric in metrics:
        told = dict(metric)
        properties = told.pop("properties", {})
        added = found.metrics.add(**told)
        for name, value in properties.items():
            added.properties.keys.append(name)
            kind = "string_value" if isinstance(value, str) else "int_value"
            added.properties.values.add(**{kind: value})
    return bytes(found.SerializeToString())


def topic(kind: str, *device: str) -> str:
    """Return where the node of the tests publishes."""
    return "/".join(("spBv1.0", "plant", kind, "line1", *device))


class Edge:
    """A node of one device that answers requests for its birth.

    Attributes:
        node: The metrics of the node's birth.
        device: The metrics of its device's birth.
        births: How many it has published.
    """

    def __init__(
        self, client: aiomqtt.Client, *, node: Sequence[Metric], device: Sequence[Metric]
    ) -> None:
        self._client, self.node, self.device = client, node, device
        self._seq, self.births = 0, 0

    async def birth(self) -> None:
        """Publish the births of node and device."""
        self._seq = 0
        bd_seq = {"name": "bdSeq", "datatype": INT64, "long_value": 0}
        await self.send("NBIRTH", bd_seq, *self.node)
        await self.send("DBIRTH", *self.device, device="press")
        self.births += 1

    async def send(self, kind: str, *metrics: Metric, device: str = "", lost: bool = False) -> None:
        """Publish a message, or lose it on the way."""
        body = payload(*metrics, seq=self._seq)
        self._seq = (self._seq + 1) % 256
        if not lost:
            where = topic(kind, *filter(None, [device]))
            await self._client.publish(where, body, qos=0)

    async def obey(self) -> None:
        """Publish births whenever asked, until cancelled."""
        async for message in self._client.messages:
            asked = PAYLOAD.FromString(message.payload)
            (metric,) = asked.metrics
            assert (metric.name, metric.datatype, metric.boolean_value) == (
                "Node Control/Rebirth",
                BOOLEAN,
                True,
            )
            await self.birth()

    def cut_off(self) -> None:
        """Lose the connection without a word."""
        sock: Any = self._client._client.socket()
        sock.shutdown(socket.SHUT_RDWR)


def edge(
    url: str, *, node: Sequence[Metric] = (), device: Sequence[Metric] = ()
) -> AbstractAsyncContextManager[Edge]:
    """Connect a node, with its death as last will."""
    return connected(url, partial(Edge, node=node, device=device))


E = TypeVar("E", bound=Edge)


@asynccontextmanager
async def connected(url: str, make: Callable[[aiomqtt.Client], E]) -> AsyncIterator[E]:
    """Connect a node of any kind, with its death as last will."""
    parts = urlsplit(url)
    death = payload({"name": "bdSeq", "datatype": INT64, "long_value": 0})
    will = aiomqtt.Will(topic("NDEATH"), death, qos=1)
    async with aiomqtt.Client(parts.hostname or "", parts.port or 1883, will=will) as client:
        await client.subscribe(topic("NCMD"), qos=1)
        made = make(client)
        obeying = asyncio.create_task(made.obey())
        try:
            yield made
        finally:
            obeying.cancel()
            await asyncio.gather(obeying, return_exceptions=True)
