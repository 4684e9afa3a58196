"""Carries points from the buffer to a store, to the spool, or to the dead letters."""

from ingestd.delivery import deadletters, spool
from ingestd.delivery.buffer import Buffer
from ingestd.delivery.deliveries import Deliveries
from ingestd.delivery.delivery import Delivery
from ingestd.delivery.former import Adopted, left_behind, said_of_former
from ingestd.delivery.metrics import buffer_metrics, store_metrics
from ingestd.delivery.spool import Contents

__all__ = [
    "Adopted",
    "Buffer",
    "Contents",
    "Deliveries",
    "Delivery",
    "buffer_metrics",
    "deadletters",
    "left_behind",
    "said_of_former",
    "spool",
    "store_metrics",
]
