"""What is told of a plugin is the same from its text and from its import."""

import asyncio
import inspect

import pytest

from ingestd.calling.plugin import check_params
from ingestd.worker.description import Kind, Parameters
from tests.support.deadline import WITHIN
from tests.support.plugins import COROUTINE, FUNCTION, GENERATOR, PluginFolder

WRAPPED = f"""
import functools
def wrapped(f):
    @functools.wraps(f)
    def call(**kwargs): return f(**kwargs)
    return call
{GENERATOR}
run = wrapped(run)
"""


SIGNATURE = "run(a, b=1, *, ctx, start=None, end=None, c, d=4, **others)"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (FUNCTION, Kind.FUNCTION),
        (COROUTINE, Kind.COROUTINE),
        (GENERATOR, Kind.GENERATOR),
        ("def run(**_):\n    def inner():\n        yield\n    return {}\n", Kind.FUNCTION),
        (f"{COROUTINE}    async def inner():\n        yield\n", Kind.COROUTINE),
        (f"def plain(f):\n    return lambda **k: f(**k)\n@plain\n{COROUTINE}", Kind.COROUTINE),
        (f"def plain(f):\n    return lambda **k: f(**k)\n@plain\n{GENERATOR}", Kind.GENERATOR),
        (f"from functools import cache\n@cache\n{FUNCTION}", Kind.FUNCTION),
        (WRAPPED, Kind.GENERATOR),
        (
            f"import functools\n{COROUTINE.replace('run', 'f')}run = functools.partial(f, a=1)\n",
            Kind.COROUTINE,
        ),
        (
            "class Run:\n    async def __call__(self, **_):\n        yield {}\nrun = Run()\n",
            Kind.GENERATOR,
        ),
        (f"try:\n    import x_y_z\nexcept ImportError:\n    pass\n{FUNCTION}", Kind.FUNCTION),
        (f"if True:\n    {FUNCTION.replace(chr(10), chr(10) + '    ')}\n", Kind.FUNCTION),
    ],
)
def test_kind_is_told_however_run_is_made(
    plugin_folder: PluginFolder, text: str, kind: Kind
) -> None:
    """All three shapes are recognised, bare, decorated, wrapped or assigned."""
    plugin = plugin_folder.plugin(text)

    assert plugin.kind is kind
    assert (plugin.run is None) == (kind is Kind.FUNCTION)


@pytest.mark.parametrize(
    "text",
    [
        f"def {SIGNATURE}:\n    return {{}}\n",
        f"async def {SIGNATURE}:\n    return {{}}\n",
        f"def plain(f):\n    return f\n@plain\ndef {SIGNATURE}:\n    return {{}}\n",
    ],
)
def test_parameters_are_the_same_from_text_and_from_import(
    plugin_folder: PluginFolder, text: str
) -> None:
    """What run declares is told without importing it, and correctly."""
    plugin = plugin_folder.plugin(f'"""Read meters.\n\nMore.\n"""\n{text}')

    assert plugin.parameters == Parameters(
        ("a", "b", "ctx", "start", "end", "c", "d"), ("a", "ctx", "c"), accepts_any=True
    )
    assert plugin.wants_ctx
    assert plugin.wants_window
    assert plugin.summary == "Read meters."


def test_start_alone_is_an_ordinary_parameter(plugin_folder: PluginFolder) -> None:
    """Only the pair is special."""
    plugin = plugin_folder.plugin("def run(*, start):\n    return {}\n")

    assert not plugin.wants_window
    assert check_params(plugin, ["start"]).unknown == ()


async def test_decorated_coroutine_can_be_called(plugin_folder: PluginFolder) -> None:
    """A plain wrapper gives an awaitable, whose result the caller waits for."""
    plugin = plugin_folder.plugin(
        f"def plain(f):\n    return lambda **k: f(**k)\n@plain\n{COROUTINE}"
    )

    assert plugin.run is not None
    result = plugin.run()
    assert inspect.isawaitable(result)
    assert await asyncio.wait_for(result, WITHIN) == {}
