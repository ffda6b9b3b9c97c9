"""`etude doctor`: what this machine has, what is missing and how to get it."""

from __future__ import annotations

from etude.cli.arguments import AsJson

EXAMPLES = """
[bold]Example[/]

  etude doctor
"""


def doctor(as_json: AsJson = False) -> None:
    """Tell what this machine has: hardware, backends, versions; what is missing and how to get it."""
    import os

    from etude.cli.health import examine, show_findings

    show_findings(examine(os.environ), as_json=as_json)


doctor.__doc__ = f"{doctor.__doc__}\n{EXAMPLES}"
