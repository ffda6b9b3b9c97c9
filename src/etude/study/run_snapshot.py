"""What a run keeps of what it runs: the resolved study, and the project's sources as they were when it was planned."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from etude.errors import BackendError
from etude.redaction import Redactor
from etude.study.prepare import PreparedStudy

SOURCES = "sources.json"


def take_snapshot(prepared: PreparedStudy, folder: Path, redact: Redactor, sources: Mapping[str, bytes]) -> None:
    """Write the snapshot of a run into its folder, without the secrets that may stand in it.

    Args:
        prepared: What is run.
        folder: The run's folder.
        redact: Takes the secrets out.
        sources: Files of the project, by absolute path.
    """
    project = prepared.workplace.project
    copies: dict[str, dict[str, str]] = {}
    for path, source in sources.items():
        relative = Path(path)
        if relative.is_relative_to(project):
            relative = relative.relative_to(project)
        copy = Path("sources") / str(relative).lstrip("/")
        (folder / copy).parent.mkdir(parents=True, exist_ok=True)
        (folder / copy).write_bytes(redact.data(source))
        copies[path] = {"copy": str(copy), "sha256": sha256(source).hexdigest()}
    (folder / SOURCES).write_text(json.dumps(copies, indent=1), encoding="utf-8")
    for file in prepared.study.files:
        (folder / "study").mkdir(exist_ok=True)
        (folder / "study" / file.name).write_bytes(redact.data(file.read_bytes()))
    resolved = {
        "study": prepared.study.name,
        "form": prepared.study.form,
        "searches": prepared.searches,
        "params": dict(prepared.study.params),
        "variants": [dict(variant.params) for variant in prepared.expansion.variants],
        "nodes": {action.node.label(): action.node.fingerprint for action in prepared.plan.actions},
        "origin": dict(prepared.study.origin),
    }
    text = json.dumps(redact.within(resolved), indent=1)
    (folder / "resolved.json").write_text(text, encoding="utf-8")


def kept_sources(folder: Path) -> dict[str, bytes]:
    """The project's sources of a run: absolute path in the project → the bytes that were planned.

    Raises:
        BackendError: A copy is not what was planned: it was changed, or a secret was taken out of it.
    """
    copies: dict[str, dict[str, str]] = json.loads((folder / SOURCES).read_text(encoding="utf-8"))
    sources: dict[str, bytes] = {}
    for path, one in copies.items():
        source = sources[path] = (folder / one["copy"]).read_bytes()
        if sha256(source).hexdigest() != one["sha256"]:
            raise BackendError(
                f"{path}: its copy in {folder} is not what was planned, so no job can run it.\n"
                "    Mend: if the file holds a secret, which no run writes down, read that from the environment; "
                "then run the study again."
            )
    return sources
