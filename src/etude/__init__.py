"""étude: one study file in, paper-ready results out.

A step is a plain typed function; a study file says how steps hang together and what varies:

    from etude import step

    @step
    def shout(words: list[str], *, times: int = 1) -> list[str]:
        return [word.upper() * times for word in words]
"""

from etude.errors import EtudeError as EtudeError
from etude.errors import Stopped as Stopped
from etude.graph.metric import metric as metric
from etude.graph.step import Across as Across
from etude.graph.step import Context as Context
from etude.graph.step import InputFile as InputFile
from etude.graph.step import InputFolder as InputFolder
from etude.graph.step import placement as placement
from etude.graph.step import step as step

__version__ = "0.1.0"
__all__ = ["Across", "Context", "EtudeError", "InputFile", "InputFolder", "Stopped", "metric", "placement", "step"]
