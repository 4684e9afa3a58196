"""What the daemon answers over HTTP.

``routes`` lists every path with what it takes, and is what a description of the
API is to be made from; ``server`` listens; ``security`` and ``problems`` stand
before every path; the other modules answer, one for each topic.
"""

from ingestd.web.server import serve

__all__ = ["serve"]
