"""What cron starts: scripts of BMON's kind, a thread for each, with nothing around them.

The jobs come on standard input, pickled: the path of each script and its
parameters. What the scripts return is counted and thrown away. Nothing is imported
here but what this takes.
"""

import pickle
import sys
import threading
from typing import Any

given: list[int] = []


def run(path: str, params: dict[str, Any]) -> None:
    """Run one script."""
    names: dict[str, Any] = {"__name__": "script"}
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 -- pathlib would have to be imported
        exec(compile(file.read(), path, "exec"), names)
    result = names["run"](**params)
    if error := result.get("script_error") or result.get("script_errors"):
        raise RuntimeError(f"{path}: {error}")
    given.append(len(result["readings"]))


def main() -> None:
    """Run all of them."""
    jobs = pickle.load(sys.stdin.buffer)
    if len(jobs) == 1:
        run(*jobs[0])
    else:
        threads = [threading.Thread(target=run, args=job) for job in jobs]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    if len(given) != len(jobs) or not all(given):
        sys.exit(f"expected readings of {len(jobs)} scripts, got {given}")


if __name__ == "__main__":
    main()
