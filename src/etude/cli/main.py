"""The command line: each command reads, makes one call, shows, and sets the exit code."""

from __future__ import annotations

import sys

import typer

from etude.cli.commands.accept import accept
from etude.cli.commands.cancel import cancel
from etude.cli.commands.cluster import cluster
from etude.cli.commands.doctor import doctor
from etude.cli.commands.gc import gc
from etude.cli.commands.init import init
from etude.cli.commands.meter import meter
from etude.cli.commands.plan import plan
from etude.cli.commands.report import report
from etude.cli.commands.run import run
from etude.cli.commands.schema import schema
from etude.cli.commands.search import search
from etude.cli.commands.show import show
from etude.cli.commands.status import status
from etude.cli.commands.top import top
from etude.cli.commands.track import track
from etude.cli.commands.verify import verify
from etude.cli.commands.watch import watch

app = typer.Typer(
    name="etude",
    help="Plan, run, cache and measure machine-learning experiments from one study file.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (init, run, plan, show, report, track, watch, status, cancel, accept, verify, gc, meter, schema, doctor):
    app.command()(command)
app.add_typer(cluster)
app.command()(top)
app.add_typer(search)


def version(value: bool) -> None:
    """Print the version and leave."""
    if value:
        from etude import __version__

        typer.echo(f"etude {__version__}")
        raise typer.Exit


@app.callback()
def options(
    _version: bool = typer.Option(
        False, "--version", callback=version, is_eager=True, help="Print the version and leave."
    ),
) -> None:
    """Options of étude itself."""


def main() -> None:
    """Run the command line. What étude or the system refuses is told without a traceback, with exit code 2."""
    from etude.errors import EtudeError

    try:
        app()
    except EtudeError as error:
        from etude.cli.tell import tell_error

        tell_error(error)
        sys.exit(2)
    except OSError as error:
        from etude.cli.tell import tell_refusal

        tell_refusal(error)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
