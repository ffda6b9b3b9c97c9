"""Labelled texts from the Hugging Face hub."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pyarrow as pa

from etude.errors import StepError
from etude.text.file_kinds import with_class_names
from etude.text.labelled_files import TextColumns, select_columns, split_of_name, with_ids
from etude.text.types import TextTable

_log = logging.getLogger(__name__)


def from_hub(name: str, columns: TextColumns, *, config: str | None = None, revision: str | None = None) -> TextTable:
    """A data set of the hub with the splits it has; what was fetched once is found again without the hub.

    Args:
        name: As the hub has it: `owner/name`.
        columns: What its columns are called.
        config: Which of its configurations, where it has several.
        revision: A commit, branch or tag; None for the newest. Only a commit fixes what comes.

    Raises:
        StepError: The library is not installed, the hub cannot be reached, or it has no such data set or column.
    """
    if Path(name).exists():
        raise StepError(f"{name} is a file or folder here. Mend: use the step text.read, which sees when it changes.")
    try:
        import datasets
    except ImportError as error:
        raise StepError("the hub is read by the package datasets. Mend: pip install 'etude[ml]'.") from error
    local = "save the data to a file or folder and use the step text.read (or `folder` of text.known)."
    try:
        data_set = datasets.load_dataset(name, config, revision=revision)
    except datasets.exceptions.DatasetNotFoundError as error:
        raise StepError(f"the hub has no data set {name!r} that is open to you: {error}") from error
    except ConnectionError as error:
        raise StepError(f"{name}: the hub cannot be reached ({error}).\n    Mend: try again, or {local}") from error
    except ValueError as error:
        raise StepError(f"{name}: {error}") from error
    except RuntimeError as error:
        mend = f"try `revision: refs/convert/parquet`, or {local}"
        raise StepError(f"{name} cannot be loaded ({error}).\n    Mend: {mend}") from error
    return table_of({split: _arrow(part) for split, part in data_set.items()}, columns, name)


def table_of(parts: dict[str, pa.Table], columns: TextColumns, name: str) -> TextTable:
    """The splits of a data set as one table; splits of other names than the usual are told and not used.

    Raises:
        StepError: There is no training split, or a column is not there.
    """
    names = {split: split_of_name(split) for split in parts}
    if "train" not in names.values():
        raise StepError(f"{name} has no training split; it has {', '.join(sorted(parts))}")
    unused = [f"{split} ({len(parts[split])} rows)" for split, usual in names.items() if usual is None]
    if unused:
        _log.warning("%s: not used, since their names tell no split: %s", name, ", ".join(unused))
    tables = []
    for split, part in parts.items():
        if names[split] is not None:
            table = select_columns(with_class_names(part, columns.names(), name), columns, f"{name}, {split} split,")
            tables.append(table.append_column("split", pa.array([names[split]] * len(table), pa.string())))
    return with_ids(pa.concat_tables(tables), name)


def _arrow(part: Any) -> pa.Table:
    """A split as one Arrow table, with the features' names in its metadata."""
    return part.with_format("arrow")[:].replace_schema_metadata(part.data.table.schema.metadata)
