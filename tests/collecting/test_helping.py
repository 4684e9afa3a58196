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
