"""Becomes a program of an operator's, below a supervisor.

Started as ``ingestd.processes.program FOLDER MEMORY RULESET COMMAND...``; a dash stands for none
of the first three.
"""

import errno
import os
import resource
import signal
import sys

NOT_FOUND = 127  # as shells have it
NOT_STARTED = 126
# What Python leaves out of account, and would be left out of account by the program as well.
IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)


def main() -> None:
    """Become the program that the command line names, or say why that cannot be."""
    folder, memory, ruleset, *command = sys.argv[1:]
    what = folder
    try:
        if folder != "-":
            os.chdir(folder)
        what = command[0]
        prepare(memory, ruleset)
        os.execvp(what, command)  # noqa: S606 (no shell is wanted)
    except OSError as error:
        os.write(2, f"{what}: {error.strerror}\n".encode(errors="replace"))
        os._exit(NOT_FOUND if error.errno == errno.ENOENT else NOT_STARTED)


def prepare(memory: str, ruleset: str) -> None:
    """Restrict the process to what the program may have."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_DFL)
    if ruleset != "-":
        from ingestd.landlock import restrict  # noqa: PLC0415 (not everywhere)

        restrict(int(ruleset))
    if memory != "-":  # the heap and private mappings, as for worker processes
        before = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (int(memory), before[1]))


if __name__ == "__main__":
    main()
