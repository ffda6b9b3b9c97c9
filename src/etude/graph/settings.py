"""A node's settings: checked against its step, with defaults filled in, and in the form that enters the fingerprint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from etude.errors import ConfigError, Fault, IdentityError
from etude.graph.command_lines import named_files
from etude.graph.signature import Setting, Signature
from etude.identity.canonical import canonical
from etude.identity.files import FileDigests


class NodeSettings(NamedTuple):
    """The settings of one node."""

    given: Mapping[str, object]
    """What the study gives, with the paths of input files made absolute: JSON values."""
    text: str
    """Canonical form of everything that bears identity, defaults included; input files by content."""
    files: Mapping[str, str]
    """Absolute path of each file or folder that the settings name → digest of its content."""


def read_settings(signature: Signature, given: Mapping[str, object], files: FileDigests, project: Path) -> NodeSettings:
    """Check settings and write down their identity.

    Raises:
        ConfigError: Unknown, missing or ill-typed settings, or an input file that cannot be read: all of them, with
            paths from the settings.
    """
    faults = signature.settings_faults(given, "")
    if faults:
        raise ConfigError([_from_here(fault) for fault in faults])
    absolute = {**given, **_paths(signature, given, project)}
    identity: dict[str, object] = {}
    read: dict[str, str] = {}
    for name, setting in signature.settings.items():
        if setting.placement:
            continue
        try:
            identity[name] = _identity(signature, setting, absolute, files, read, project)
        except IdentityError as error:
            reason, _, mend = str(error).partition("\n    Mend: ")
            shown = given.get(name, setting.default)
            faults.append(Fault(name, reason, str(shown) if isinstance(shown, Path) else shown, mend))
    if faults:
        raise ConfigError(faults)
    return NodeSettings(absolute, canonical(identity), read)


def _paths(signature: Signature, given: Mapping[str, object], project: Path) -> dict[str, object]:
    """The paths of input files, given or by default, from the project on, wherever one stands."""
    named = {name: given.get(name, setting.default) for name, setting in signature.settings.items() if setting.reads}
    paths: dict[str, object] = {}
    for name, value in named.items():
        if isinstance(value, (str, Path)) and str(value):
            paths[name] = str(project / value)
        elif isinstance(value, (list, tuple)):
            paths[name] = [str(project / path) for path in value]
    return paths


def _identity(
    signature: Signature,
    setting: Setting,
    given: Mapping[str, object],
    files: FileDigests,
    read: dict[str, str],
    project: Path,
) -> object:
    value = signature.validated(setting.name, given[setting.name]) if setting.name in given else setting.default
    if setting.reads and isinstance(value, (Path, str)):
        return _content(Path(value), setting, given[setting.name], files, read)
    if setting.reads and isinstance(value, (list, tuple)):
        return [_content(Path(path), setting, str(path), files, read) for path in value]
    canonical(value)
    if setting.name == signature.command:
        named = {path: files.digest(path) for path in named_files(str(value), project)}
        read.update({str(path): digest for path, digest in named.items()})
        return {"run": value, **{str(path.relative_to(project)): digest for path, digest in named.items()}}
    return value


def _content(path: Path, setting: Setting, given: object, files: FileDigests, read: dict[str, str]) -> object:
    _require_kind(path, setting, given)
    digest = read[str(path)] = files.digest(path)
    return {"content": digest}


def _require_kind(path: Path, setting: Setting, given: object) -> None:
    kinds = {mark.folder for mark in setting.reads}
    if given == "":
        raise IdentityError("it names no file.\n    Mend: write the path of one.")
    if path.exists() and path.is_dir() not in kinds:
        found, wanted = ("a folder", "a file") if path.is_dir() else ("a file", "a folder")
        raise IdentityError(f"{path} is {found}, and the step reads {wanted}.\n    Mend: name {wanted}.")


def _from_here(fault: Fault) -> Fault:
    return Fault(fault.path.removeprefix("."), fault.reason, fault.value, fault.mend)
