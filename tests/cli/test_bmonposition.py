"""How far an import of readings has come is found again, or is none."""

import json
from collections import Counter
from pathlib import Path

import pytest

from ingestd.cli.bmonposition import Position, PositionFile, alone_in
from ingestd.cli.exitcodes import CommandError
from ingestd.errors import NotNow

POSITION = Position(start=1.5, table="a", after=1_400_000_000, readings=7, unusable=Counter(time=2))


@pytest.fixture
def kept(tmp_path: Path) -> PositionFile:
    """Give a file in a folder."""
    return PositionFile(tmp_path, {"file": "a"})


def only(folder: Path) -> Path:
    """Return the only file in a folder."""
    (path,) = folder.iterdir()
    return path


def test_a_position_is_found_again_and_forgotten(kept: PositionFile, tmp_path: Path) -> None:
    """With all its counts; another import does not see it."""
    kept.save(Position())
    kept.save(POSITION)

    assert kept.load() == POSITION
    assert PositionFile(tmp_path, {"file": "b"}).load() is None
    kept.forget()
    kept.forget()
    assert kept.load() is None
    assert not [*tmp_path.iterdir()]


def test_a_damaged_position_is_none(kept: PositionFile, tmp_path: Path) -> None:
    """One that is a digit off would skip readings."""
    kept.save(POSITION)
    path = only(tmp_path)
    for text in (path.read_text().replace("1400000000", "1500000000"), "", "x", "x\n{"):
        path.write_text(text)

        assert kept.load() is None


def test_a_position_of_another_version_is_none(
    kept: PositionFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it would mean is not known."""
    with monkeypatch.context() as patch:
        patch.setattr("ingestd.cli.bmonposition.VERSION", 2)
        kept.save(POSITION)

    assert json.loads(only(tmp_path).read_text().partition("\n")[2])["version"] == 2
    assert kept.load() is None


def test_times_tell_imports_apart() -> None:
    """Who asks for none goes on with what was asked for."""
    position = Position(start=1.0, end=2.0)

    assert position.spans(None, None)
    assert position.spans(1.0, 2.0)
    assert not position.spans(1.0, None)
    assert not Position().spans(1.0, None)


def test_one_import_at_a_time(tmp_path: Path) -> None:
    """Two would write each other's position; the folder is made."""
    folder = tmp_path / "state"
    with alone_in(folder), pytest.raises(NotNow, match="another import"), alone_in(folder):
        pass
    with alone_in(folder):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    """As is one that vanishes."""
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(CommandError, match="cannot be used"), alone_in(file):
        pass
    with pytest.raises(CommandError, match="cannot be written: No such file"):
        PositionFile(tmp_path / "gone", {}).save(POSITION)
