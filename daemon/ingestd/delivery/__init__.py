"""Carries points from the buffer to a store, to the spool, or to the dead letters."""

from ingestd.delivery import deadletters, spool
from ingestd.delivery.buffer import Buffer
from ingestd.delivery.deliveries import Deliveries
from ingestd.delivery.delivery import Delivery
from ingestd.delivery.metrics import buffer_metrics, store_metrics
from ingestd.delivery.spool import Contents

__all__ = [
    "Buffer",
    "Contents",
    "Deliveries",
    "Delivery",
    "buffer_metrics",
    "deadletters",
    "spool",
    "store_metrics",
]
