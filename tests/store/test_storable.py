"""What can be said of a return annotation before anything runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import InitVar, dataclass
from pathlib import Path, PurePath
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pytest
from pydantic import BaseModel

from etude.store import reason_not_storable
from etude.store.codecs.spelling import read_as, spelling_of, type_of_spelling
from storing import Batch, Colour, Everything, Quality, Splits, Words


class Model(BaseModel):
    size: int


class Shape(Protocol):
    def area(self) -> float: ...


@dataclass(frozen=True)
class Tree:
    children: list[Tree]


@dataclass(frozen=True)
class Hidden:
    size: InitVar[int]


@dataclass(frozen=True)
class Holder:
    quality: Quality
    made: Callable[[], int]


@pytest.mark.parametrize(
    "annotation",
    [
        *(int, float | None, dict[str, list[int]], set[str], Everything, Quality, Words, Colour, Model, Tree, bytes),
        *(np.ndarray, npt.NDArray[np.float32], np.float64, pa.Table, pd.DataFrame, Path, Path | None),
        *(Splits, Batch, Mapping[str, np.ndarray], dict[int, pa.Table], Sequence[Path], tuple[np.ndarray, float]),
        *(Any, object, dict[str, Any], list, Shape, None),
    ],
    ids=str,
)
def test_types_with_a_codec_are_fine(annotation: Any) -> None:
    assert reason_not_storable(annotation) is None


@pytest.mark.parametrize(
    ("annotation", "named", "mend"),
    [
        (Iterator[int], "Iterator[int]", "return a list"),
        (Generator[int, None, None], "Generator", "return a list"),
        (Holder, "Holder.made", "return what it is made from"),
        (set[np.ndarray], "set", "return a list"),
        (dict[Colour, pa.Table], "dict", "use str as key"),
        (Hidden, "InitVar", "plain frozen dataclass"),
        (PurePath, "PurePath", "a file or folder that exists"),
        (pa.RecordBatch, "RecordBatch", "return a pyarrow.Table"),
        ("Splits", "'Splits'", "never looked up"),
        (dict[str, Iterator[int]], "Iterator", "return a list"),
        (type(sys), "module", "ctx.scratch"),
    ],
    ids=str,
)
def test_types_without_a_codec_are_told_with_what_to_return(annotation: Any, named: str, mend: str) -> None:
    reason = reason_not_storable(annotation)
    assert reason is not None
    assert named in reason
    assert mend in reason


def test_a_torch_module_is_told_to_return_its_state_dict() -> None:
    torch = pytest.importorskip("torch")
    assert "state_dict()" in str(reason_not_storable(torch.nn.Module))
    assert reason_not_storable(Mapping[str, torch.Tensor]) is None


def test_asking_imports_nothing_heavy() -> None:
    program = (
        "import sys; from etude.store import Store, is_metrics, reason_not_storable as ask\n"
        "ask(dict[str, list[float]]); is_metrics(dict[str, float])\n"
        "print([name for name in ('numpy', 'pyarrow', 'pandas', 'torch', 'pydantic') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize(
    "annotation",
    [
        *(int, list[int], dict[str, tuple[int, ...]], Quality, list[Quality], Mapping[str, Colour], type(None)),
        *(frozenset[str], Sequence[int], Everything),
    ],
    ids=str,
)
def test_a_spelled_type_is_found_again(annotation: Any) -> None:
    assert type_of_spelling(spelling_of(annotation)) == annotation


def test_types_are_read_as_people_write_them() -> None:
    assert read_as(spelling_of(dict[str, list[Quality]])) == "dict[str, list[Quality]]"
    assert read_as(spelling_of(int | None)) == "int | None"
