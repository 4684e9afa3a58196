"""Why another interpreter does not serve: it is not there, too old, or broken."""

import os
import subprocess
from pathlib import Path
from typing import Final

from ingestd.calling import Access, Protection, Rulesets, interpreter_command, worker_environment
from ingestd.processes import kill_descendants, new_mark
from ingestd.worker import READY

PATIENCE: Final = 20.0  # seconds


def trouble_with(python: Path, access: Access, protection: Protection) -> str:
    """Start an interpreter, confined as a worker process, and return what it says is wrong.

    An empty string if nothing is.
    """
    mark, rulesets = new_mark(), Rulesets()
    confined = rulesets.get(access, protection, python)
    ruleset = confined and confined[1]
    rulesets.close()
    try:
        ended = subprocess.run(  # noqa: S603 (our own command)
            interpreter_command(python, ruleset),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=PATIENCE,
            pass_fds=[] if ruleset is None else [ruleset],
            process_group=0,
            env=worker_environment(access, protection, mark),
        )
    except subprocess.TimeoutExpired:
        return f"{python}: must start within {PATIENCE:g} s"
    finally:
        kill_descendants(None, mark)
        if ruleset is not None:
            os.close(ruleset)
    if ended.stdout.decode(errors="replace").endswith(READY):
        return ""
    said = ended.stderr.decode(errors="replace").strip().splitlines()
    last = said[-1] if said else "expected a Python interpreter, got one that is silent"
    return last if last.startswith(str(python)) else f"{python}: {last}"
