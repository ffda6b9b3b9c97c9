"""Torch tensors and named arrays come back from safetensors, fresh or read-only, tied where they were tied."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from etude.errors import StepError
from etude.store import Store
from storing import round_trip, stored

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors")

many = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
dtypes = (
    nps.boolean_dtypes() | nps.integer_dtypes(endianness="=") | nps.floating_dtypes(sizes=(16, 32, 64), endianness="=")
)
arrays = nps.arrays(dtypes, nps.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
named = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), arrays, min_size=1, max_size=4)


def equal(left: Any, right: Any) -> bool:
    """The same bytes, dtype and shape."""
    data = [tensor.detach().clone().contiguous().untyped_storage().tolist() for tensor in (left, right)]
    return left.dtype == right.dtype and left.shape == right.shape and data[0] == data[1]


@many
@given(named)
def test_named_arrays_come_back_in_their_order(store: Store, values: dict[str, np.ndarray[Any, Any]]) -> None:
    back = round_trip(store, values, Mapping[str, np.ndarray])
    assert list(back) == list(values)
    for name, array in values.items():
        assert (back[name].dtype, back[name].shape) == (array.dtype, array.shape)
        assert back[name].tobytes() == array.tobytes()


@many
@given(named)
def test_the_order_of_named_arrays_is_not_content(store: Store, values: dict[str, np.ndarray[Any, Any]]) -> None:
    turned = dict(reversed(values.items()))
    assert stored(store, values).content == stored(store, turned).content


@many
@given(named)
def test_state_dicts_come_back_in_their_order(store: Store, values: dict[str, np.ndarray[Any, Any]]) -> None:
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in values.items()}
    back = round_trip(store, tensors, Mapping[str, torch.Tensor])
    assert list(back) == list(tensors)
    assert all(equal(back[name], tensors[name]) for name in tensors)


@pytest.mark.parametrize(
    "name", ["bfloat16", "float16", "float8_e4m3fn", "float8_e5m2", "complex64", "bool", "uint8", "uint16", "int64"]
)
def test_tensors_of_every_dtype_come_back(store: Store, name: str) -> None:
    tensor = torch.arange(12).reshape(3, 4).to(getattr(torch, name))
    assert equal(round_trip(store, tensor), tensor)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(12).reshape(3, 4).T,
        torch.arange(12)[::3],
        torch.tensor(3.0),
        torch.zeros(0, 3),
        torch.ones(2, 1).expand(2, 5),
        torch.tensor([1 + 2j]).conj(),
        torch.nn.Parameter(torch.ones(3)),
        torch.ones(2, requires_grad=True) * 2,
    ],
    ids=["transposed", "strided", "scalar", "empty", "expanded", "conjugate", "parameter", "in a graph"],
)
def test_tensors_of_any_layout_come_back_as_plain_ones(store: Store, tensor: Any) -> None:
    back = round_trip(store, tensor)
    assert type(back) is torch.Tensor
    assert equal(back, tensor.detach().resolve_conj())
    assert not back.requires_grad


@pytest.mark.parametrize("size", [4, 100_000])
def test_what_is_written_into_a_loaded_tensor_never_reaches_the_store(store: Store, size: int) -> None:
    fingerprint = stored(store, {"w": torch.zeros(size)}).fingerprint
    store.read(fingerprint)["w"].fill_(1.0)
    assert store.read(fingerprint)["w"].sum() == 0


@pytest.mark.parametrize("size", [4, 100_000])
def test_a_loaded_named_array_cannot_be_written_into(store: Store, size: int) -> None:
    back = round_trip(store, {"w": np.zeros(size)})
    with pytest.raises(ValueError, match="read-only"):
        back["w"][0] = 1


def test_tied_weights_are_stored_once_and_are_tied_again(store: Store) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(50, 50, bias=False), torch.nn.Linear(50, 50, bias=False))
    model[1].weight = model[0].weight
    manifest = stored(store, model.state_dict())
    back = store.read(manifest.fingerprint)
    assert manifest.size < 2 * 50 * 50 * 4
    assert back["0.weight"].data_ptr() == back["1.weight"].data_ptr()
    assert equal(back["1.weight"], model[1].weight.detach())


def test_views_into_one_memory_are_stored_apart(store: Store) -> None:
    base = torch.arange(10.0)
    back = round_trip(store, {"a": base[:4], "b": base[2:8], "c": base})
    assert back["b"].tolist() == [2, 3, 4, 5, 6, 7]
    back["a"].fill_(9.0)
    assert back["c"][0] == 0


def test_an_ordered_dict_of_tensors_is_a_state_dict(store: Store) -> None:
    back = round_trip(store, OrderedDict(b=torch.ones(2), a=torch.zeros(2)))
    assert list(back) == ["b", "a"]


def test_other_readers_of_safetensors_read_our_files(store: Store) -> None:
    from safetensors.torch import load_file

    tensors = {"w": torch.randn(3, 4).to(torch.bfloat16), "é": torch.arange(3), "empty": torch.zeros(0)}
    manifest = stored(store, tensors)
    (file,) = manifest.files
    back = load_file(store.root / manifest.fingerprint[:2] / manifest.fingerprint / file.path)
    assert all(equal(back[name], tensors[name]) for name in tensors)


def test_a_list_of_arrays_is_one_file(store: Store) -> None:
    arrays = [np.full(2, i) for i in range(12)]
    manifest = stored(store, arrays, list[np.ndarray])
    back = store.read(manifest.fingerprint)
    assert len(manifest.files) == 1
    assert [array[0] for array in back] == list(range(12))
    assert isinstance(store.read(manifest.fingerprint, as_type=tuple[np.ndarray, ...]), tuple)


def test_one_tensor_of_many_is_read_alone(store: Store) -> None:
    fingerprint = stored(store, {"a": torch.ones(2), "b": torch.zeros(3)}).fingerprint
    assert store.read(fingerprint, item="b").shape == (3,)
    with pytest.raises(StepError, match="no item 'c'"):
        store.read(fingerprint, item="c")


def test_named_arrays_may_be_read_as_tensors_and_back(store: Store) -> None:
    back = round_trip(store, {"a": np.ones(3, np.float32)}, as_type=dict[str, torch.Tensor])
    assert isinstance(back["a"], torch.Tensor)
    assert isinstance(round_trip(store, {"a": torch.ones(3)}, as_type=Mapping[str, np.ndarray])["a"], np.ndarray)


def test_arrays_that_safetensors_cannot_hold_get_a_file_each(store: Store) -> None:
    values = {"a": np.array(["x", "yy"]), "b": np.array([1, 2], dtype=">i4"), "c": np.ones((2, 2))}
    manifest = stored(store, values)
    back = store.read(manifest.fingerprint)
    assert len(manifest.files) == 3
    assert back["b"].dtype == np.dtype(">i4")
    assert back["a"].tolist() == ["x", "yy"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.eye(3).to_sparse(),
        lambda: torch.zeros(2, dtype=torch.complex128),
        lambda: torch.quantize_per_tensor(torch.zeros(2), 0.1, 0, torch.qint8),
        lambda: torch.zeros(2, device="meta"),
    ],
    ids=["sparse", "complex128", "quantised", "meta"],
)
@pytest.mark.filterwarnings("ignore:.*quantize")
def test_tensors_without_plain_data_are_refused_with_a_mend(store: Store, make: Callable[[], Any]) -> None:
    with pytest.raises(StepError, match=r"'w': a tensor .*\n.*Mend"):
        stored(store, {"w": make()})


def test_the_state_of_an_optimizer_comes_back_without_an_annotation(store: Store) -> None:
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    state = optimizer.state_dict()
    back = round_trip(store, state)
    assert back["param_groups"] == state["param_groups"]
    assert back["param_groups"][0]["betas"] == (0.9, 0.999)
    assert back["state"].keys() == state["state"].keys()
    assert torch.equal(back["state"][0]["exp_avg"], state["state"][0]["exp_avg"])
    torch.optim.AdamW(model.parameters()).load_state_dict(back)
