"""étude: one study file in, paper-ready results out.

A step is a plain typed function; a study file says how steps hang together and what varies:

    from etude import step

    @step
    def shout(words: list[str], *, times: int = 1) -> list[str]:
        return [word.upper() * times for word in words]
"""

from typing import TYPE_CHECKING, Any

from etude.errors import EtudeError as EtudeError
from etude.errors import Stopped as Stopped
from etude.graph.metric import metric as metric
from etude.graph.step import Across as Across
from etude.graph.step import Context as Context
from etude.graph.step import InputFile as InputFile
from etude.graph.step import InputFolder as InputFolder
from etude.graph.step import placement as placement
from etude.graph.step import step as step
from etude.store.codecs.folders import codec as codec

if TYPE_CHECKING:
    from etude.api.nodes import aggregate as aggregate
    from etude.api.nodes import node as node
    from etude.api.nodes import param as param
    from etude.api.nodes import records as records
    from etude.api.studies import RunFailed as RunFailed
    from etude.api.studies import Study as Study
    from etude.api.studies import load as load

__version__ = "0.1.0"
__all__ = [
    "Across",
    "Context",
    "EtudeError",
    "InputFile",
    "InputFolder",
    "Stopped",
    "codec",
    "metric",
    "placement",
    "step",
]
"""What a step may need: `from etude import *` loads nothing else."""
FROM_API = {
    "RunFailed": "studies",
    "Study": "studies",
    "aggregate": "nodes",
    "load": "studies",
    "node": "nodes",
    "param": "nodes",
    "records": "nodes",
}


def __getattr__(name: str) -> Any:
    """What plans and runs studies is imported when it is first asked for: a step needs none of it."""
    if name not in FROM_API:
        raise AttributeError(f"module 'etude' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"etude.api.{FROM_API[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *FROM_API])
