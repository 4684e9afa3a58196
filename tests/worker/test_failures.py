"""What a plugin raises in a worker process becomes an error of ours."""

import pytest

from ingestd.errors import (
    PluginError,
    PluginLoadError,
)
from tests.support.plugins import PluginFolder
from tests.support.workers import InWorker, failure

# Starting a process takes about a tenth of a second, and these tests start many.
pytestmark = pytest.mark.slow


async def test_exception_is_told_from_the_plugins_first_frame(
    plugin_folder: PluginFolder, in_worker: InWorker
) -> None:
    """The operator reads the plugin's lines and none of ours."""
    plugin = plugin_folder.plugin(
        """
        def run(**_):
            print("before")
            try:
                deeper()
            except KeyError as exc:
                raise RuntimeError("meter is away") from exc
        def deeper():
            raise KeyError("R733")
        """
    )

    error = await failure(in_worker(plugin))

    assert type(error) is PluginError
    assert str(error) == "RuntimeError: meter is away"
    assert error.output == "before\n"
    assert "KeyError: 'R733'" in error.details
    assert error.details.count("in run") == 2
    assert "ingestd/" not in error.details


@pytest.mark.parametrize(
    "body",
    [
        "class Odd(Exception):\n    def __reduce__(self): raise TypeError\n",
        "class Odd(Exception):\n    def __str__(self): raise TypeError\n",
        "class Odd(BaseException):\n    lock = __import__('threading').Lock()\n",
    ],
)
async def test_exceptions_of_any_kind_come_back_as_text(
    plugin_folder: PluginFolder, in_worker: InWorker, body: str
) -> None:
    """An exception that cannot be sent or shown is an ordinary failed run."""
    plugin = plugin_folder.plugin(f"{body}def run(**_):\n    raise Odd\n")

    error = await failure(in_worker(plugin))

    assert type(error) is PluginError
    assert str(error).startswith("Odd")
    assert "raise Odd" in error.details


async def test_details_are_bounded(plugin_folder: PluginFolder, in_worker: InWorker) -> None:
    """A message of megabytes does not end up in every run record."""
    plugin = plugin_folder.plugin("def run(**_):\n    raise ValueError('x' * 10_000_000)\n")

    error = await failure(in_worker(plugin))

    assert len(str(error)) < 8100
    assert len(error.details) < 66_000


async def test_module_missing_in_a_worker_is_a_load_error(
    plugin_folder: PluginFolder, in_worker: InWorker
) -> None:
    """Ordinary plugins are imported in workers, so that is where it shows."""
    plugin = plugin_folder.plugin(
        """
        import importlib
        importlib.import_module("no_such_module")
        def run(**_):
            return {}
        """
    )

    error = await failure(in_worker(plugin))

    assert isinstance(error, PluginLoadError)
    assert str(error) == (
        f"{plugin.path}:3: needs the module 'no_such_module', which is not installed"
    )
