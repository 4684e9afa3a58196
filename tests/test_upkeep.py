"""What a daemon does at intervals beside its work."""

from pathlib import Path
from typing import Any, Final

from ingestd.disk import Ballast
from ingestd.tasks import Tasks
from ingestd.upkeep import KEEP_PACES_EVERY, TEND, Upkeep
from tests.support.clock import VirtualClock
from tests.support.plugins import LogLines

NOT_ASKED: Final[Any] = None


class KeptPaces:
    """Counts how often the paces of all collectors are kept."""

    def __init__(self) -> None:
        self.times = 0

    def keep_paces(self) -> None:
        """Count."""
        self.times += 1


async def test_a_ballast_that_cannot_be_made_is_told_once(tmp_path: Path) -> None:
    """It comes back by itself, and how far all have come is kept meanwhile."""
    state, log, clock, paces = tmp_path / "state", LogLines(), VirtualClock(), KeptPaces()
    collectors: Any = paces

    async def blocking(function: Any, *args: Any) -> Any:
        return function(*args)

    upkeep = Upkeep(
        notifier=NOT_ASKED,
        loop_watch=NOT_ASKED,
        ballast=Ballast(state / "ballast", size=1),
        collectors=collectors,
        deliveries=NOT_ASKED,
        metrics=NOT_ASKED,
        stuck=list,
        status_line=str,
        blocking=blocking,
        clock=clock,
        log=log,
    )
    tasks = Tasks(clock=clock, log=log)
    tasks.start("tend", upkeep.tend)

    await clock.drive(clock.sleep(2 * KEEP_PACES_EVERY * TEND + 1))
    told_while_gone = list(log.lines)
    state.mkdir()
    await clock.drive(clock.sleep(TEND))
    await tasks.cancel()

    problem = f"{state / 'ballast'}: cannot be written: No such file or directory"
    assert told_while_gone == [("error", "no disk space can be kept back", {"problem": problem})]
    assert log.lines == told_while_gone
    assert (state / "ballast").exists()
    assert paces.times == 2
