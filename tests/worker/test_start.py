"""What a worker process imports before it serves: each of them pays for it again."""

import json
import subprocess
import sys

HEAVY = frozenset({"asyncio", "concurrent", "email", "http", "logging", "sqlite3", "ssl"})
OURS = frozenset({"contract", "errors", "landlock", "plugins", "worker"})


def modules_after(statement: str) -> dict[str, str]:
    """Return the modules that a process has imported after a statement: name -> file."""
    files = "{name: str(getattr(each, '__file__', '')) for name, each in sys.modules.items()}"
    code = f"import json, sys; {statement}; print(json.dumps({files}))"
    command = [sys.executable, "-P", "-c", code]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(ran.stdout)
    return found


def test_worker_is_light() -> None:
    """It has no event loop, no log, no database, and nothing from outside the standard library."""
    before = modules_after("pass")
    found = modules_after("import ingestd.worker.__main__")
    new = {name: file for name, file in found.items() if name not in before}

    assert {name.split(".")[1] for name in new if name.startswith("ingestd.")} == OURS
    assert [name for name, file in new.items() if "site-packages" in file] == []
    assert {name.partition(".")[0] for name in new} & HEAVY == set()
