"""What can be read at a DCS server, registers and virtual meters, and which of it is wanted."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

from .errors import DcsError

ONLY: Final = ("meter", "serial", "service", "status", "type")
ID: Final = re.compile(r"(R|VM)(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Source:
    """A register or a virtual meter.

    Attributes:
        id: ``R`` or ``VM`` and a number, as it is asked for.
        number: That number.
        virtual: Whether it is computed of registers.
        instantaneous: Whether its values are samples, not totals or consumption.
        meter: The name of its meter, or of the virtual meter.
        register: The name of the register; empty for a virtual meter.
        unit: The unit of its values.
        serial: The serial number of its meter, if known.
        service: What its meter measures, such as electricity, if known.
        type: The type of its meter, if known.
        status: ``online``, ``offline``, ``disabled`` or ``unknown``, if it has a meter.
    """

    id: str
    number: int
    virtual: bool
    instantaneous: bool
    meter: str
    register: str
    unit: str
    serial: str
    service: str = ""
    type: str = ""
    status: str = ""

    @property
    def name(self) -> str:
        """What the server calls the source."""
        return self.meter if self.virtual else f"{self.meter}: {self.register}"

    @property
    def label(self) -> str:
        """What people call the source."""
        return f"{self.id} ({self.name})"

    def fields(self, quantity: str) -> dict[str, str]:
        """Return what templates can be filled with."""
        return {
            "id": self.id,
            "quantity": quantity,
            "meter": self.meter,
            "register": self.register,
            "unit": self.unit,
            "serial": self.serial,
            "service": self.service,
            "type": self.type,
        }


def registers_in(document: Any, *, where: str) -> list[Source]:
    """Return the registers in a list of meters.

    Raises:
        DcsError: It is no such list.
    """
    return [
        made(register, meter)
        for meter in objects(document, where=where)
        for register in objects(meter.get("registers") or [], where=f"{where}: registers")
    ]


def virtual_meters_in(document: Any, *, where: str) -> list[Source]:
    """Return the virtual meters in a list of them.

    Raises:
        DcsError: It is no such list.
    """
    return [made(each) for each in objects(document, where=where)]


def made(found: Mapping[str, Any], meter: Mapping[str, Any] | None = None) -> Source:
    """Return the source for an object of a list: a register of a meter, or a virtual meter."""
    number, virtual = found["id"], meter is None
    about = found if meter is None else meter
    return Source(
        id=f"VM{number}" if virtual else f"R{number}",
        number=number,
        virtual=virtual,
        instantaneous=found.get("isinstantaneous") is True,
        meter=text(about, "name"),
        register="" if virtual else text(found, "name"),
        unit=text(found, "unit"),
        serial=text(about, "serialnumber"),
        service=text(about, "service"),
        type=text(about, "metertype"),
        status=text(about, "status"),
    )


def objects(document: Any, *, where: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of a list with their keys in lower case: servers differ in that.

    Raises:
        DcsError: It is no list of objects with whole numbers as ids.
    """
    if not isinstance(document, list):
        raise DcsError(f"{where}: expected a list, got {document!r:.80}")
    for each in document:
        found = {key.lower(): value for key, value in each.items()} if _is_dict(each) else {}
        if type(found.get("id")) is not int:
            raise DcsError(f"{where}: expected objects with a number as id, got {each!r:.80}")
        yield found


def _is_dict(each: Any) -> bool:
    return isinstance(each, dict)


def text(found: Mapping[str, Any], key: str) -> str:
    """Return a text, which may be missing."""
    value = found.get(key)
    return "" if value is None else str(value).strip()


@dataclass(frozen=True, slots=True)
class Selection:
    """Which sources are wanted: all, or those with an id or a name that fits.

    Attributes:
        ids: As servers write them; in the order in which they were asked for.
        globs: Patterns over names, whose case does not matter.
        everything: Whether no source is left out.
        only: Patterns over what a meter has, by the name of that; one of each has to fit.
            Sources that are asked for by their id are not left out for it.
        repeated: What was asked for more than once.
    """

    ids: tuple[str, ...] = ()
    globs: tuple[str, ...] = ()
    everything: bool = False
    only: Mapping[str, Sequence[str]] = field(default_factory=dict)
    repeated: tuple[str, ...] = ()

    @classmethod
    def of(cls, wanted: Any, only: Any = None) -> "Selection":
        """Read the options ``registers`` and ``only``.

        Raises:
            ValueError: The first is neither ``all`` nor a list of texts, or the second has
                something else than patterns.
        """
        patterns = chosen_by(only)
        if wanted == "all":
            return cls(everything=True, only=patterns)
        listed = [wanted] if isinstance(wanted, str) else wanted
        if not isinstance(listed, Sequence) or not listed:
            raise ValueError(f"registers: expected 'all' or a list, got {wanted!r:.80}")
        ids, globs = [], []
        for each in listed:
            if not isinstance(each, str) or not each.strip():
                raise ValueError(
                    "registers: expected ids such as 'R733' or 'VM9', or patterns such as "
                    f"'Library*: *', got {each!r:.80}"
                )
            if match := ID.fullmatch(each.strip()):
                ids.append(f"{match[1].upper()}{int(match[2])}")
            else:
                globs.append(each.strip())
        chosen = [*ids, *globs]
        repeated = tuple(each for each in dict.fromkeys(chosen) if chosen.count(each) > 1)
        ids, globs = list(dict.fromkeys(ids)), list(dict.fromkeys(globs))
        return cls(tuple(ids), tuple(globs), only=patterns, repeated=repeated)

    @property
    def registers(self) -> bool:
        """Whether registers may be among them."""
        return self._may_have("R")

    @property
    def virtual_meters(self) -> bool:
        """Whether virtual meters may be among them."""
        return self._may_have("VM")

    def _may_have(self, prefix: str) -> bool:
        named = any(each.startswith(prefix) for each in self.ids)
        return self.everything or bool(self.globs) or named

    def missing(self, known: Iterable[Source]) -> list[str]:
        """Return the ids that no source has."""
        there = {source.id for source in known}
        return [each for each in self.ids if each not in there]

    def choose(self, known: Sequence[Source]) -> tuple[list[Source], dict[str, str]]:
        """Return the sources that are wanted, and what is wrong with what was asked for."""
        if self.everything:
            return list(filter(self._wants, known)), {}
        by_id = {source.id: source for source in known}
        chosen = {each: by_id[each] for each in self.ids if each in by_id}
        problems = dict.fromkeys(
            self.missing(known), "expected the id of a source that this account may see"
        )
        for glob in self.globs:
            fitting = [each for each in known if fnmatchcase(each.name.lower(), glob.lower())]
            chosen |= {each.id: each for each in fitting if self._wants(each)}
            if not fitting:
                problems[repr(glob)] = "expected to fit a name, fits none"
        return list(chosen.values()), problems

    def _wants(self, source: Source) -> bool:
        """Say whether what a source's meter has fits the patterns; their case does not matter."""
        return all(
            any(fnmatchcase(getattr(source, name).lower(), glob.lower()) for glob in globs)
            for name, globs in self.only.items()
        )


def chosen_by(only: Any) -> dict[str, list[str]]:
    """Return the option ``only`` as lists of patterns.

    Raises:
        ValueError: It is something else.
    """
    if not isinstance(only, Mapping | None):
        message = f"only: expected a mapping such as {{service: gas}}, got {only!r:.80}"
        raise ValueError(message)  # noqa: TRY004 -- a wrong option, not a wrong call
    found: dict[str, list[str]] = {}
    for name, wanted in (only or {}).items():
        if name not in ONLY:
            raise ValueError(f"only: expected {', '.join(ONLY)}, got {name!r:.80}")
        globs = [wanted] if isinstance(wanted, str) else wanted
        if not isinstance(globs, list) or not all(isinstance(each, str) for each in globs):
            raise ValueError(
                f"only.{name}: expected a pattern or a list of them, got {wanted!r:.80}"
            )
        found[name] = globs
    return found
