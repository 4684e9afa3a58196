"""A disk that is really small, so that filling it is quick."""

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

DISK_BYTES = 80 * 1024 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 80 MiB, which only root may do."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(path)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.fixture
def dead_mount(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system whose server never answers, which only root may do."""
    path = tmp_path / "dead"
    path.mkdir()
    try:
        server = os.open("/dev/fuse", os.O_RDWR)
    except OSError:
        pytest.skip("mounting a dead file system needs root and /dev/fuse")
    options = f"fd={server},rootmode=40000,user_id=0,group_id=0"
    mount = ["mount", "-i", "-t", "fuse", "-o", options, "dead", str(path)]
    done = subprocess.run(mount, check=False, capture_output=True, pass_fds=[server])
    try:
        if done.returncode:
            pytest.skip(f"mounting a dead file system needs root: {done.stderr.decode()}")
        yield path
    finally:
        os.close(server)  # what waits for an answer gets an error
        subprocess.run(["umount", "--lazy", str(path)], check=not done.returncode)


@contextmanager
def refusing_writes() -> Iterator[None]:
    """Have the kernel refuse each write of this process to a file, though there is room."""
    least, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (least, most))


def fill(directory: Path, *, leave: int = 0) -> Path:
    """Fill the disk up to a few bytes; return the file that does."""
    path = directory / "filler"
    with path.open("wb", buffering=0) as file:
        try:
            for size in (1024 * 1024, 4096):
                while file.write(bytes(size)) == size:
                    pass
        except OSError:
            pass
        file.truncate(max(0, file.tell() - leave))
    return path
