"""Samplers by name. Each is imported only when it is asked for.

A sampler is a class whose constructor takes `(space, goal, seed)` and its settings as keyword-only parameters, checked
here by name.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from etude.errors import ConfigError, Fault, nearest
from etude.search.sampler import Sampler
from etude.search.samplers.distinct import DistinctSampler
from etude.search.space import Space
from etude.search.trial_events import Begun
from etude.search.trials import Goal


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplerEntry:
    """Where a sampler is, and what it needs besides étude's own dependencies."""

    reference: str
    """`package.module:Class`."""
    extra: str = ""
    """The extra that brings its engine."""
    engine: str = ""
    """The module of that engine."""
    presets: tuple[tuple[str, object], ...] = ()
    """Settings that this name stands for."""


_HERE: Final = "etude.search.samplers"

SAMPLERS: Final[dict[str, SamplerEntry]] = {
    "random": SamplerEntry(reference=f"{_HERE}.random:RandomSampler"),
    "sobol": SamplerEntry(reference=f"{_HERE}.sobol:SobolSampler"),
    "grid": SamplerEntry(reference=f"{_HERE}.grid:GridSampler"),
    "gp": SamplerEntry(reference=f"{_HERE}.gp:GaussianProcessSampler"),
    "auto": SamplerEntry(reference=f"{_HERE}.gp:GaussianProcessSampler"),
    "tpe": SamplerEntry(
        reference=f"{_HERE}.optuna:OptunaSampler", extra="search", engine="optuna", presets=(("kind", "tpe"),)
    ),
    "optuna_gp": SamplerEntry(
        reference=f"{_HERE}.optuna:OptunaSampler", extra="ml,search", engine="torch", presets=(("kind", "gp"),)
    ),
    "cmaes": SamplerEntry(
        reference=f"{_HERE}.optuna:OptunaSampler", extra="search", engine="cmaes", presets=(("kind", "cmaes"),)
    ),
    "nsga": SamplerEntry(
        reference=f"{_HERE}.optuna:OptunaSampler", extra="search", engine="optuna", presets=(("kind", "nsga"),)
    ),
    "rustuna": SamplerEntry(reference=f"{_HERE}.rustuna:RustunaSampler", extra="search", engine="rustuna"),
    "deephyper": SamplerEntry(reference=f"{_HERE}.deephyper:DeepHyperSampler", extra="deephyper", engine="deephyper"),
}
"""Name → sampler. `auto`, the default, is the one that the benchmark of search quality speaks for."""

_GONE: Final = {"forest": "the forest won on no problem: write gp, or leave the sampler out"}
"""Name of a sampler of earlier versions → what to do instead."""

DEFAULT: Final = "auto"


def make(name: str, space: Space, goal: Goal, seed: int, **settings: object) -> Sampler:
    """The sampler of this name. In a finite space it proposes no point twice while others are left.

    Raises:
        ConfigError: There is none, its engine is not installed, or it has no such setting.
    """
    entry = SAMPLERS.get(name)
    if entry is None:
        raise ConfigError([_unknown(name)])
    factory = _factory(name, entry)
    presets = dict(entry.presets)
    known = [one for one in _settings_of(factory) if one not in presets]
    faults = [
        Fault(f"sampler.{key}", f"sampler {name!r} has no such setting", value, nearest(key, known))
        for key, value in settings.items()
        if key not in known
    ]
    if faults:
        raise ConfigError(faults)
    try:
        sampler: Sampler = factory(space, goal, seed, **presets, **settings)
    except ImportError as error:
        raise _not_installed(name, entry, error) from error
    return sampler if space.size is None else DistinctSampler(sampler, space, seed)


def version_of(name: str, settings: Mapping[str, object]) -> int:
    """The version of what a sampler proposes: as its settings say, else its newest; 1 where it has one alone."""
    entry = SAMPLERS.get(name)
    parameter = None if entry is None else inspect.signature(_factory(name, entry)).parameters.get("version")
    newest = 1 if parameter is None else parameter.default
    version = settings.get("version", newest)
    return version if isinstance(version, int) else 1


def make_for_log(begun: Begun, space: Space, goal: Goal) -> Sampler:
    """The sampler that a search began with, of the version that it began with.

    Raises:
        ConfigError: There is none, its engine is not installed, or it has no such setting or version.
    """
    settings = dict(begun.settings)
    if version_of(begun.sampler, settings) != begun.sampler_version:
        settings["version"] = begun.sampler_version
    return make(begun.sampler, space, goal, begun.seed, **settings)


def check(name: str, settings: dict[str, object]) -> list[Fault]:
    """What is wrong with a sampler's name and the names of its settings, without making it."""
    entry = SAMPLERS.get(name)
    if entry is None:
        return [_unknown(name)]
    if entry.engine and importlib.util.find_spec(entry.engine.split(".")[0]) is None:
        return list(_not_installed(name, entry).faults)
    presets = dict(entry.presets)
    known = [one for one in _settings_of(_factory(name, entry)) if one not in presets]
    return [
        Fault(f"sampler.{key}", f"sampler {name!r} has no such setting", value, nearest(key, known))
        for key, value in settings.items()
        if key not in known
    ]


def _unknown(name: str) -> Fault:
    return Fault("sampler", f"there is no sampler {name!r}", name, _GONE.get(name) or nearest(name, SAMPLERS))


def _factory(name: str, entry: SamplerEntry) -> Callable[..., Any]:
    module, _, attribute = entry.reference.partition(":")
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        if not entry.extra:
            raise
        raise _not_installed(name, entry, error) from error
    return found


def _not_installed(name: str, entry: SamplerEntry, error: ImportError | None = None) -> ConfigError:
    told = f" ({error})" if error else ""
    mend = f"pip install 'etude[{entry.extra}]', or use another sampler" if entry.extra else "mend the installation"
    engine = f"the package {entry.engine}" if entry.engine else "a package"
    reason = f"sampler {name!r} needs {engine}, which is not installed{told}"
    return ConfigError([Fault("sampler", reason, name, mend)])


def _settings_of(factory: Callable[..., Any]) -> list[str]:
    parameters = inspect.signature(factory).parameters.values()
    return [one.name for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY]
