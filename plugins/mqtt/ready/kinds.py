"""Which kinds of ready routes there are."""

from collections.abc import Mapping
from typing import Any, Final

from ingestd.plugins._problems import Gathering
from ingestd.plugins._values import OPTIONS as VALUE_OPTIONS

from .esphome import EspHome
from .homeassistant import HomeAssistant
from .homie import Homie
from .kind import COMMON, Ready
from .shelly import Shelly, ShellyFirst
from .sparkplug import Sparkplug
from .tasmota import Tasmota
from .zigbee2mqtt import Zigbee2Mqtt

KINDS: Final[dict[str, type[Ready]]] = {
    "tasmota": Tasmota,
    "zigbee2mqtt": Zigbee2Mqtt,
    "shelly": Shelly,
    "shelly1": ShellyFirst,
    "homie": Homie,
    "esphome": EspHome,
    "homeassistant": HomeAssistant,
    "sparkplug": Sparkplug,
}
# What may stand around the entries of ``topics`` and holds for these, too.
AROUND: Final = ("qos", *VALUE_OPTIONS)


def ready(own: Mapping[str, Any], around: Mapping[str, Any]) -> Ready:
    """Return the ready route of an entry of ``topics`` that has a ``type``.

    Args:
        own: The entry.
        around: The collector's options.

    Raises:
        ValueError: Says what is wrong.
    """
    name = own["type"]
    if not isinstance(name, str) or name not in KINDS:
        raise ValueError(f"topics: expected a type among {', '.join(KINDS)}, got {name!r:.80}")
    kind = KINDS[name]
    known = sorted((*COMMON, *kind.options))
    given = {key: each for key, each in around.items() if key in AROUND and each is not None}
    with Gathering() as wrong:
        wrong.problems += [
            f"topics: expected only {', '.join(known)} beside `type: {name}`, got {key!r}"
            for key in sorted(map(str, set(own) - set(known)))
        ]
        return wrong.read(
            lambda: kind({**given, **{key: each for key, each in own.items() if each is not None}})
        )
