"""Nodes written in Python, and the tree of a study file that they come to."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any

from etude.api.live_source import reference_to
from etude.errors import ConfigError, Fault

Step = str | Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """A knob of a study. In an f-string it stands for its value: `f"run-{seed}"`."""

    name: str
    default: object = None

    def __str__(self) -> str:
        _spelled[self.name] = self
        return f"${{{self.name}}}"


_spelled: dict[str, Param] = {}
"""The params that stand in texts, by name: a text remembers no object, so `node` looks them up as it is given one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NodeUse:
    """A use of a step. A `Study` gives it its name; `node["item"]` is an item of its result."""

    step: Step
    inputs: tuple[object, ...] = ()
    """By position: nodes, items, `records`, nodes of other studies (`"@other/model"`), or lists of these."""
    named_inputs: Mapping[str, object] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)
    needs: Mapping[str, object] = field(default_factory=dict)
    pins: tuple[str, ...] = ()
    spelled: tuple[Param, ...] = ()
    """The params that stand in its settings' texts."""

    def __getitem__(self, item: str) -> NodePart:
        return NodePart(node=self, item=item)

    def __iter__(self) -> Iterator[object]:
        raise TypeError("a node's result is not at hand while a study is built: name an item, as in node['train']")

    @property
    def every(self) -> NodePart:
        """Its results of all variants, for a node that collects (`node[*]` in a file)."""
        return NodePart(node=self, across=True)

    def on(self, **needs: object) -> NodeUse:
        """The same with what it needs to run: `gpus=1`, `memory="8GB"`, `walltime="2h"`. Never identity."""
        return replace(self, needs={**self.needs, **needs})

    def pin(self, *packages: str) -> NodeUse:
        """The same with the versions of these packages as part of its identity."""
        return replace(self, pins=(*self.pins, *packages))

    def upstream(self) -> Iterator[NodeUse]:
        """The nodes that it reads, in order."""
        for given in (*self.inputs, *self.named_inputs.values()):
            yield from nodes_in(given)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NodePart:
    """An item of a node's result, or its results of all variants."""

    node: NodeUse
    item: str = ""
    across: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """The table of records, one row for each variant: for nodes that collect."""


records = Records()


def param(name: str, default: object = None) -> Param:
    """A param that settings refer to: `degree = param("degree", 1)`."""
    return Param(name=name, default=default)


def node(step: Step, /, *inputs: object, **given: object) -> NodeUse:
    """A use of a step.

    Args:
        step: A function, or a step by its name in study files: `"text.load"`, `"module:function"`.
        inputs: What its first parameters read: nodes, `node["item"]`, `node.every`, `records`, lists of these.
        given: Its settings by name: values and params. A node among them is an input by name.
    """
    named = {name: value for name, value in given.items() if _reads(value)}
    settings = {name: value for name, value in given.items() if name not in named}
    spelled = tuple(_spelled[name] for name in dict.fromkeys(_names_in_texts(settings)) if name in _spelled)
    return NodeUse(step=step, inputs=inputs, named_inputs=named, settings=settings, spelled=spelled)


def aggregate(**settings: object) -> NodeUse:
    """The table of a study, for `collect`: the step `analysis.aggregate` over the records, with its settings."""
    return node("analysis.aggregate", records, **settings)


def plain(value: Any) -> Any:
    """A value as study files have it: numbers and arrays of NumPy, ranges and tuples as lists, paths as texts."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, range)):
        return [plain(each) for each in value]
    if isinstance(value, PurePath):
        return str(value)
    is_numpy = type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "tolist")
    return value.tolist() if is_numpy else value


def nodes_in(given: object) -> Iterator[NodeUse]:
    """The nodes that one input reads."""
    if isinstance(given, NodeUse):
        yield given
    elif isinstance(given, NodePart):
        yield given.node
    elif isinstance(given, (list, tuple)):
        for each in given:
            yield from nodes_in(each)


def _names_in_texts(value: object) -> Iterator[str]:
    """The names of the params that texts in a value refer to."""
    if isinstance(value, str):
        yield from re.findall(r"(?<!\$)\$\{(\w+)\}", value)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _names_in_texts(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _names_in_texts(each)


def _reads(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_reads(each) for each in value)
    return isinstance(value, (NodeUse, NodePart, Records)) or (isinstance(value, str) and value.startswith("@"))


@dataclass(slots=True, kw_only=True)
class TreeWriter:
    """Writes nodes as a study file does, giving names to those that have none and noting the params referred to."""

    project: Path
    params: dict[str, object] = field(default_factory=dict)
    pipeline: dict[str, Any] = field(default_factory=dict)
    collect: dict[str, Any] = field(default_factory=dict)
    names: dict[NodeUse, str] = field(default_factory=dict)

    def write(self, pipeline: Mapping[str, NodeUse], collect: Mapping[str, NodeUse]) -> None:
        """Write named nodes with all that they read.

        Raises:
            ConfigError: They cannot be written.
        """
        for section, named in (("pipeline", pipeline), ("collect", collect)):
            for name, each in named.items():
                self._name(each, name, f"{section}.{name}")
        for each in pipeline.values():
            self._add(each, self.pipeline, collect)
        for each in collect.values():
            self._add(each, self.collect, collect)

    def _name(self, each: NodeUse, name: str, path: str) -> None:
        if not isinstance(each, NodeUse):
            raise ConfigError([Fault(path, "is no node", each, "make one: node(function, …)")])
        if each in self.names:
            reason = f"one node has two names, {self.names[each]} and {name}"
            raise ConfigError([Fault(path, reason, mend="give it once, or make a second node")])
        if name in self.names.values():
            raise ConfigError([Fault(path, "two nodes have this name", name, "rename one")])
        self.names[each] = name

    def _add(self, each: NodeUse, section: dict[str, Any], collect: Mapping[str, NodeUse]) -> None:
        name = self.names[each]
        if name in section:
            return
        for read in each.upstream():
            if read not in self.names:
                self.names[read] = self._free_name(read)
            self._add(read, self.collect if read in collect.values() else self.pipeline, collect)
        section[name] = self._written(name, each)

    def _free_name(self, each: NodeUse) -> str:
        """A name for a node that was given none: its function's, numbered where that is taken."""
        base = each.step.rpartition(".")[2].rpartition(":")[2] if isinstance(each.step, str) else each.step.__name__
        name, number = base, 2
        while name in self.names.values():
            name, number = f"{base}_{number}", number + 1
        return name

    def _written(self, name: str, each: NodeUse) -> dict[str, Any]:
        written: dict[str, Any] = {"step": reference_to(each.step, self.project)}
        if each.inputs or each.named_inputs:
            written["from"] = self._sources(name, each)
        for param_in_text in each.spelled:
            self._value(param_in_text)
        if each.settings:
            written["with"] = {key: self._value(value) for key, value in each.settings.items()}
        if each.needs:
            written["on"] = dict(each.needs)
        if each.pins:
            written["pin"] = list(each.pins)
        return written

    def _sources(self, name: str, each: NodeUse) -> object:
        if each.named_inputs or any(isinstance(given, (list, tuple)) for given in each.inputs):
            by_name = dict(zip(_input_names(name, each), each.inputs, strict=False)) | dict(each.named_inputs)
            return {key: self._source(given) for key, given in by_name.items()}
        written = [self._source(given) for given in each.inputs]
        return written[0] if len(written) == 1 else written

    def _source(self, given: object) -> object:
        if isinstance(given, (list, tuple)):
            return [self._source(each) for each in given]
        if isinstance(given, Records):
            return "records"
        if isinstance(given, NodeUse):
            return self.names[given]
        if isinstance(given, NodePart):
            return f"{self.names[given.node]}[*]" if given.across else f"{self.names[given.node]}.{given.item}"
        if isinstance(given, str) and given.startswith("@"):
            return given
        mend = "give values by name, as settings; a value is made into a node by a step that returns it"
        raise ConfigError([Fault("", "an input is a node, an item of one, or records", given, mend)])

    def _value(self, value: object) -> object:
        if isinstance(value, Param):
            default = plain(value.default)
            known = self.params.setdefault(value.name, default)
            if known != default:
                reason = f"the param {value.name!r} has two values where nothing varies it: {known!r} and"
                raise ConfigError([Fault(f"params.{value.name}", reason, value.default, "make it once, and use it")])
            return str(value)
        if isinstance(value, Mapping):
            return {str(key): self._value(each) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._value(each) for each in value]
        return plain(value)


def _input_names(name: str, each: NodeUse) -> Sequence[str]:
    """The names of the parameters that inputs by position fill."""
    if not each.inputs:
        return ()
    if isinstance(each.step, str):
        reason = f"{each.step} is named by a text, so its inputs have no order beside named ones"
        raise ConfigError([Fault(f"pipeline.{name}.from", reason, mend="give every input by name")])
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [key for key, value in inspect.signature(each.step).parameters.items() if value.kind in kinds]
