"""`etude cluster`: profiles of clusters: which there are, what they submit, whether they work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from etude.cli.arguments import AsJson

cluster = typer.Typer(
    name="cluster",
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="""Profiles of clusters: which there are, what they submit, whether they work.

[bold]Examples[/]

  etude cluster list

  etude cluster render cluster/narval.yaml --gpus 1

  etude cluster check cluster/narval.yaml
""",
)

ProfileFile = Annotated[
    str, typer.Argument(metavar="PROFILE", help="A profile's file, or the name of a ready one.", show_default=False)
]


@cluster.command("list")
def show() -> None:
    """List the profiles that there are.

    [bold]Example[/]   etude cluster list
    """
    from etude.cli.clusters import list_profiles

    list_profiles(Path.cwd())


@cluster.command()
def schema() -> None:
    """Print the JSON Schema of profiles, for editors.

    [bold]Example[/]   etude cluster schema > cluster.schema.json
    """
    import json

    from etude.config.cluster import profile_schema

    typer.echo(json.dumps(profile_schema(), indent=2))


@cluster.command()
def copy(profile: ProfileFile) -> None:
    """Copy a ready profile to cluster/ of this project, to fill in what your cluster wants.

    [bold]Example[/]   etude cluster copy narval
    """
    from etude.cli.clusters import copy_profile

    copy_profile(profile, Path.cwd())


@cluster.command()
def render(
    profile: ProfileFile,
    gpus: Annotated[int, typer.Option(help="GPUs that each node needs.")] = 0,
    cpus: Annotated[int, typer.Option(help="Cores that each node needs.")] = 1,
    nodes: Annotated[int, typer.Option(help="Machines that each node spans.")] = 1,
) -> None:
    """Show the batch script of a job exactly as it would be submitted for nodes with these needs.

    [bold]Example[/]   etude cluster render narval --gpus 1
    """
    from etude.cli.clusters import show_script

    show_script(profile, Path.cwd(), gpus=gpus, cpus=cpus, nodes=nodes)


@cluster.command()
def check(
    profile: ProfileFile,
    store: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="The store that its machines must see. Default: this project's.", show_default=False),
    ] = None,
    timeout: Annotated[str, typer.Option(help="How long the job may wait in its queue, such as 30m.")] = "10m",
    as_json: AsJson = False,
) -> None:
    """Submit a tiny job and tell each step: submission, start, étude, store, network, GPU, clock.

    [bold]Example[/]   etude cluster check cluster/narval.yaml --timeout 1h
    """
    from etude.cli.clusters import check_profile

    raise typer.Exit(0 if check_profile(profile, Path.cwd(), store, timeout, as_json=as_json) else 1)
