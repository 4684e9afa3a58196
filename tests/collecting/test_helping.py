"""Files that a plugin calls beside itself."""

from pathlib import Path

import pytest

from tests.support.collecting import site

DECODING = """
    async def run(*, ctx, file, **_):
        found = await ctx.call(file, payload=[1, 2])
        return {"readings": [(None, "level", found["level"])]}
"""


@pytest.mark.parametrize(
    "kind", ["async def run(**_):\n    return {}", "async def run(**_): yield"]
)
async def test_file_has_an_ordinary_function(tmp_path: Path, kind: str) -> None:
    """Any other would run in the daemon itself, and could hold it up."""
    decoder = tmp_path / "decoder.py"
    decoder.write_text(f"{kind}\n")
    async with site(tmp_path) as here:
        await here.start(DECODING, params={"file": str(decoder)})
        (record,) = await here.ran()

    assert f"{decoder}: expected an ordinary function, got" in record.error


@pytest.mark.slow  # starts a process
async def test_the_process_of_a_file_outlives_the_run_that_called_it(tmp_path: Path) -> None:
    """It is the daemon's: the next run finds it there, and it is stopped with the daemon."""
    decoder = tmp_path / "decoder.py"
    decoder.write_text("import os\n\n\ndef run(**_):\n    return {'level': os.getpid()}\n")
    async with site(tmp_path) as here:
        await here.start(DECODING, params={"file": str(decoder)})
        records = await here.ran(2)
        await here.until(lambda: len(here.stored) > 1)

    assert [record.notes for record in records] == [[], []]
    assert here.logged("run left tasks behind, which were cancelled") == []
    assert len(set(here.values())) == 1
