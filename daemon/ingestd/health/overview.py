"""How everything is at a moment, judged in one go."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from ingestd.health.collector import CollectorFacts, CollectorHealth, judge
from ingestd.health.summary import StoreFacts, headline, problems, sentence


@dataclass(frozen=True, slots=True)
class Overview:
    """How everything is at a moment.

    Attributes:
        facts: What is known of each collector, by name.
        collectors: How each is, by name.
        stores: What is known of each store.
        refused: Why the configuration on disk is not the one in use, or an empty string.
    """

    facts: Mapping[str, CollectorFacts]
    collectors: Mapping[str, CollectorHealth]
    stores: Sequence[StoreFacts]
    refused: str = ""

    @classmethod
    def of(
        cls, facts: Iterable[CollectorFacts], stores: Iterable[StoreFacts], *, refused: str = ""
    ) -> Self:
        """Judge what is known."""
        by_name = {each.name: each for each in facts}
        healths = {name: judge(each) for name, each in by_name.items()}
        return cls(by_name, healths, list(stores), refused)

    @property
    def sentence(self) -> str:
        """The one sentence that an operator needs."""
        return sentence(list(self.collectors.values()), self.stores, refused=self.refused)

    @property
    def headline(self) -> str:
        """How many need attention, without saying which; empty if none does."""
        return headline(list(self.collectors.values()), self.stores)

    @property
    def problems(self) -> list[str]:
        """A line for everything that is wrong, the worst first."""
        return problems(list(self.collectors.values()), self.stores, refused=self.refused)
