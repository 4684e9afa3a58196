"""The supervisor of one module: runs it in a process below its own, and ends what it leaves.

Started as ``python -m ingestd.processes PARENT MODULE ARGUMENT...``. What the module's process
starts and leaves behind comes to the supervisor, whatever it does to its session, its parents or
its environment. When that process has ended, however it did, the supervisor kills the rest and
ends in the same way. When its own parent is gone, it kills them all: the kernel tells it. So
nothing outlives a daemon that was killed.

It must be small, as there is one for each worker process, and so it imports next to nothing before
the module's process is there.
"""

import ctypes
import os
import runpy
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
PARENT_GONE = (
    signal.SIGTERM
)  # systemd sends it to all processes of a service, so it may be a mistake
# SIGCHLD is what it waits for. The others are its daemon's business.
BLOCKED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

MOST_NAMED = 5  # processes in a line

LIBC = ctypes.CDLL(None)


def main() -> None:
    """Supervise the module that the command line names."""
    parent, supervisor = int(sys.argv[1]), os.getpid()
    signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED)
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_PDEATHSIG, PARENT_GONE)
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1)
    if os.getppid() != parent:  # it went before the kernel knew
        os._exit(1)
    if (pid := os.fork()) == 0:
        become(sys.argv[2:], supervisor)
    else:
        close_files()
        leave_like(supervise(pid, parent))


def become(argv: list[str], supervisor: int) -> None:
    """Run the module, in a process group of its own, until it ends or its supervisor does."""
    os.setpgid(0, 0)
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != supervisor:
        os._exit(1)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, BLOCKED)
    sys.argv = argv
    runpy.run_module(argv[0], run_name="__main__", alter_sys=True)


def close_files() -> None:
    """Close what was passed on to the module's process: it must end with that.

    Its input and its output are among that; where it reports errors, the supervisor does, too.
    """
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(nothing, number)
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 (pathlib takes its time and memory)
        if int(name) > 2:
            try:
                os.close(int(name))
            except OSError:  # that of the listing itself
                continue


def supervise(pid: int, parent: int) -> int:
    """Wait until a process has ended, or our parent has; end the rest and return the status."""
    status = None
    while status is None:
        number = signal.sigwait(BLOCKED)
        if number == PARENT_GONE and os.getppid() != parent:
            break
        status = reap(pid)
    if has_children():
        from ingestd.processes.descendants import kill_descendants  # noqa: PLC0415 (rarely needed)

        tell(kill_descendants(os.getpid(), None))
        while has_children():
            os.wait()
    return signal.SIGKILL if status is None else status


def tell(names: list[str]) -> None:
    """Print which processes were ended, where the errors of the module's process go."""
    if names:
        named = ", ".join(sorted(names)[:MOST_NAMED])
        try:
            os.set_blocking(2, False)  # nobody may read it any more
            os.write(2, f"left processes behind, which were ended: {named}\n".encode())
        except OSError:
            return


def reap(sought: int) -> int | None:
    """Take note of all children that have ended; return the status of one if it is among them."""
    found = None
    while has_children():
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            break
        if pid == sought:
            found = status
    return found


def has_children() -> bool:
    """Whether there are any, dead ones included."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def leave_like(status: int) -> None:
    """End as another process did."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        LIBC.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # one core is enough
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
