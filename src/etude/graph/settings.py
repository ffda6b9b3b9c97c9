"""A node's settings: checked against its step, with defaults filled in, and in the form that enters the fingerprint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from etude.errors import ConfigError, Fault, IdentityError
from etude.graph.signature import Setting, Signature
from etude.identity.canonical import canonical
from etude.identity.files import FileDigests


class NodeSettings(NamedTuple):
    """The settings of one node."""

    given: Mapping[str, object]
    """What the study gives, with the paths of input files made absolute: JSON values."""
    text: str
    """Canonical form of everything that bears identity, defaults included; input files by content."""


def read_settings(signature: Signature, given: Mapping[str, object], files: FileDigests, project: Path) -> NodeSettings:
    """Check settings and write down their identity.

    Raises:
        ConfigError: Unknown, missing or ill-typed settings, or an input file that cannot be read: all of them, with
            paths from the settings.
    """
    faults = signature.settings_faults(given, "")
    if faults:
        raise ConfigError([_from_here(fault) for fault in faults])
    absolute = dict(given)
    identity: dict[str, object] = {}
    for name, setting in signature.settings.items():
        if setting.file and isinstance(given.get(name), str):
            absolute[name] = str(project / str(given[name]))
        if setting.placement:
            continue
        try:
            identity[name] = _identity(signature, setting, absolute, files)
        except IdentityError as error:
            reason, _, mend = str(error).partition("\n    Mend: ")
            faults.append(Fault(name, reason, given.get(name, setting.default), mend))
    if faults:
        raise ConfigError(faults)
    return NodeSettings(absolute, canonical(identity))


def _identity(signature: Signature, setting: Setting, given: Mapping[str, object], files: FileDigests) -> object:
    value = signature.validated(setting.name, given[setting.name]) if setting.name in given else setting.default
    if setting.file and isinstance(value, (Path, str)):
        return {"content": files.digest(Path(value))}
    canonical(value)
    return value


def _from_here(fault: Fault) -> Fault:
    return Fault(fault.path.removeprefix("."), fault.reason, fault.value, fault.mend)
