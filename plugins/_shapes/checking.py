"""All that is wrong with the options of documents and shapes, for ``check``."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final

from ingestd.plugins._checks import Given
from ingestd.plugins._documents import OPTIONS as OF_DOCUMENTS
from ingestd.plugins._documents import format_of
from ingestd.plugins._times import notation

from .options import OPTIONS, description_of, layout_in, plus_of, records_in, time_of

NEEDED: Final = frozenset({"series", "value", "values"})  # without one, the others seem wrong


def check_shape(given: Given, run: Callable[..., Any]) -> None:
    """Note what is wrong with the options of documents and shapes, each for itself.

    Args:
        given: The params.
        run: What they are for; it may have only some of the options.
    """
    names = inspect.signature(run).parameters

    def some(each: Any, *wanted: str) -> Mapping[str, Any]:
        return {name: getattr(each, name) for name in wanted if name in names}

    given.read(lambda each: format_of(**some(each, *OF_DOCUMENTS), zone=None))
    given.read(lambda each: records_in(some(each, "records"), whole=False))
    given.read(lambda each: layout_in(some(each, "layout", "fields")))
    given.read(lambda each: time_of(some(each, "time", "records")))
    given.read(lambda each: plus_of(some(each, "time", "time_plus", "time_step", "records")))
    given.read(lambda each: notation(some(each, "time_format").get("time_format")))
    others = OPTIONS - {"records", "layout", "fields", "time_format"}
    others -= {"time", "time_plus", "time_step"}
    # What has told its own fault must not keep the others from being looked at.
    read = [name for name in others if name in NEEDED or given.readable(name)]
    given.read(lambda each: description_of(some(each, *read), zone=None))
