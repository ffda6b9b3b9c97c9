"""`etude open`: a Python shell with a node's value at hand, or the lines that load it in a notebook."""

from __future__ import annotations

import code
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from etude.cli.arguments import Only, Profile, Quick, Set, StudyFile, assignments
from etude.cli.completion import node_names
from etude.cli.console import err, escape
from etude.cli.study_file import prepare_file, profile_name
from etude.config.overrides import SET, parse_override
from etude.errors import ConfigError, Fault
from etude.graph.node import Node
from etude.store.files.manifest import Manifest
from etude.store.store import Store
from etude.study.prepare import Options

EXAMPLES = """
[bold]Examples[/]

  etude open study.yaml model --only-variant pooling=max --only-variant seed=0

  etude open study.yaml scored              [dim](several variants: values[label], each read when it is asked for)[/]

  etude open study.yaml scored --snippet    [dim](the same for a notebook)[/]
"""
MOST_LABELS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredValues(Mapping[str, Any]):
    """The results of a node by the labels of its variants, each read when it is asked for."""

    store: Store
    nodes: Mapping[str, Node]

    def __getitem__(self, label: str) -> Any:
        node = self.nodes[label]
        returns = node.use.signature.returns if node.use is not None else object
        return self.store.read(node.fingerprint, as_type=returns)

    def __iter__(self) -> Iterator[str]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def __repr__(self) -> str:
        return f"values of {', '.join(self.nodes)}"


def open(
    study: StudyFile,
    node: Annotated[str, typer.Argument(help="The node.", show_default=False, autocompletion=node_names)],
    only: Only = None,
    snippet: Annotated[bool, typer.Option("--snippet", help="Print Python that loads it, for a notebook.")] = False,
    overrides: Set = None,
    profile: Profile = None,
    quick: Quick = False,
) -> None:
    options = Options(only=assignments(only, "--only-variant"), until=(node,))
    chosen = profile_name(profile, quick=quick)
    prepared = prepare_file(study, overrides, chosen, options)
    nodes = {
        each.label(): each
        for each in prepared.expansion.named(node)
        if isinstance(prepared.store.inspect(each.fingerprint), Manifest)
    }
    if not nodes:
        err().print(escape(f"nothing of {node} is stored as code and settings are now"), soft_wrap=True)
        raise typer.Exit(1)
    if snippet:
        typer.echo(snippet_text(study, node, overrides or (), chosen, [*nodes.values()]))
        return
    open_shell(StoredValues(store=prepared.store, nodes=nodes))


def snippet_text(file: Path, name: str, overrides: Sequence[str], profile: str | None, nodes: Sequence[Node]) -> str:
    """Python that loads the same value, or the values of several variants by their labels.

    Raises:
        ConfigError: An override takes a value away, which `etude.load` does not.
    """
    words = [repr(str(file.absolute()))]
    parsed = [parse_override(text) for text in overrides]
    if any(override.removes for override in parsed):
        raise ConfigError(
            [Fault(SET, "a snippet takes no value away", mend="write the change into a file that extends")]
        )
    if parsed:
        words.append(f"set={ {override.target: override.value for override in parsed}!r}")
    if profile:
        words.append(f"profile={profile!r}")
    load = f"import etude\n\nresult = etude.load({', '.join(words)}).result()\n"
    if len(nodes) == 1:
        return f"{load}value = result.value({', '.join([repr(name), *_keywords(nodes[0].params)])})"
    calls = "".join(
        f"    {node.label()!r}: result.value({', '.join([repr(name), *_keywords(node.params)])}),\n" for node in nodes
    )
    return f"{load}values = {{\n{calls}}}"


def _keywords(params: Mapping[str, object]) -> list[str]:
    if all(name.isidentifier() for name in params):
        return [f"{name}={value!r}" for name, value in params.items()]
    return [f"**{dict(params)!r}"] if params else []


def open_shell(values: StoredValues) -> None:
    """Start a Python shell, IPython where it is installed, with `value`, or `values` of several variants."""
    labels = [*values]
    if len(labels) == 1:
        names: dict[str, Any] = {"value": values[labels[0]]}
        banner = f"value: {labels[0]}, {type(names['value']).__name__}"
    else:
        names = {"values": values}
        more = f"\n  and {len(labels) - MOST_LABELS} more" if len(labels) > MOST_LABELS else ""
        banner = "values[label], each read when it is asked for:\n" + "\n".join(
            f"  {label!r}" for label in labels[:MOST_LABELS]
        )
        banner += more
    if find_spec("IPython") is None:
        code.interact(banner=banner, local=names, exitmsg="")
        return
    from IPython import start_ipython

    err().print(escape(banner), soft_wrap=True)
    start_ipython(argv=["--no-banner"], user_ns=names)
