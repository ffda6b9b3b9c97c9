from __future__ import annotations

import subprocess
import sys
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from enum import Enum, Flag, IntFlag, StrEnum, auto
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from etude.errors import IdentityError
from etude.identity.canonical import DEEPEST, canonical
from strategies import Colour, Level, Point, same, settings, values


class Access(Flag):
    READ = auto()
    WRITE = auto()


class Bits(IntFlag):
    ONE = 1


class Mode(StrEnum):
    MEAN = "mean"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    rate: float
    epochs: int = 3


@dataclass
class Loose:
    x: int = 0


@dataclass(frozen=True)
class Base:
    x: int = 0


class Undecorated(Base):
    pass


@dataclass(frozen=True)
class NamedList(list[int]):
    name: str = ""


@dataclass(frozen=True)
class Unset:
    x: int = field(init=False)


class Couple(NamedTuple):
    x: int


GOLDEN = [
    (None, "none"),
    (True, "true"),
    (False, "false"),
    (1, "int:1"),
    (-12, "int:-12"),
    (0.1, "float:0x1.999999999999ap-4"),
    (-0.0, "float:-0x0.0p+0"),
    (float("nan"), "float:nan"),
    (float("-inf"), "float:-inf"),
    ("a", '"a"'),
    ('say "é"\n', '"say \\"é\\"\\n"'),
    ("\udc80", '"\\udc80"'),
    (b"\x00\xff", "bytes:00ff"),
    (1 - 2j, "complex(float:0x1.0000000000000p+0,float:-0x1.0000000000000p+1)"),
    ([1, [2]], "[int:1,[int:2]]"),
    ((1,), "(int:1)"),
    ((), "()"),
    ({"b": 1, "a": {}}, '{"a"={},"b"=int:1}'),
    ({1: 2, "1": 2, None: 3}, '{"1"=int:2,int:1=int:2,none=int:3}'),
    ({2, 1}, "set{int:1,int:2}"),
    (frozenset({"x"}), 'frozenset{"x"}'),
    (Colour.RED, 'enum("strategies:Colour","RED")'),
    (Level.LOW, 'enum("strategies:Level","LOW")'),
    (Point(1, None), 'data("strategies:Point"){"x"=int:1,"y"=none}'),
    (date(2024, 2, 29), 'date("2024-02-29")'),
    (datetime(2024, 2, 29, 1, 2, 3, 4), 'datetime("2024-02-29T01:02:03.000004")'),
    (datetime(2024, 2, 29, tzinfo=UTC), 'datetime("2024-02-29T00:00:00+00:00",offset("UTC"))'),
    (datetime(2024, 2, 29, fold=1), 'datetime("2024-02-29T00:00:00",int:1)'),
    (time(1, 2, tzinfo=ZoneInfo("Europe/Paris")), 'time("01:02:00",zone("Europe/Paris"))'),
    (timedelta(days=-1, seconds=2, microseconds=3), "timedelta(int:-1,int:2,int:3)"),
    (Decimal("1.50"), 'decimal("1.50")'),
    (Fraction(6, 8), "fraction(int:3,int:4)"),
    (UUID(int=1), 'uuid("00000000-0000-0000-0000-000000000001")'),
]


@pytest.mark.parametrize(("value", "text"), GOLDEN, ids=[text for _, text in GOLDEN])
def test_the_written_form_never_changes(value: object, text: str) -> None:
    assert canonical(value) == text


def test_the_written_form_of_numpy_scalars_never_changes() -> None:
    import numpy as np

    scalars = [
        np.float32(0.1),
        np.int64(3),
        np.bool_(True),
        np.str_("a"),
        np.complex64(1j),
        np.datetime64("2024-01-01"),
    ]
    assert [canonical(value) for value in scalars] == [
        'numpy("float32",float:0x1.99999a0000000p-4)',
        'numpy("int64",int:3)',
        'numpy("bool",true)',
        'numpy("str32","a")',
        'numpy("complex64",complex(float:0x0.0p+0,float:0x1.0000000000000p+0))',
        'numpy("datetime64[D]",int:19723)',
    ]


@given(values(), values())
def test_two_values_have_one_text_if_and_only_if_they_are_the_same(left: object, right: object) -> None:
    assert (canonical(left) == canonical(right)) == same(left, right)


@given(values(), st.data())
def test_a_value_and_a_slightly_other_one_have_two_texts(value: object, data: st.DataObject) -> None:
    other = data.draw(st.sampled_from([[value], (value,), {"a": value}, Point(value), str(value), repr(value)]))
    assume(not same(value, other))
    assert canonical(value) != canonical(other)


@given(settings(), st.randoms())
def test_the_order_of_keys_does_not_matter(value: dict[str, object], random: object) -> None:
    shuffled = list(value.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert canonical(dict(shuffled)) == canonical(value)


def test_one_true_one_point_nought_and_the_text_1_are_four_values() -> None:
    assert len({canonical(value) for value in (1, True, 1.0, "1", b"1", (1,), [1], {1}, frozenset({1}), {1: 1})}) == 10


def test_all_nans_are_one_value() -> None:
    import struct

    (other,) = struct.unpack("<d", b"\x01\x00\x00\x00\x00\x00\xf8\xff")
    assert canonical(other) == canonical(float("nan"))


def test_the_order_of_a_set_does_not_show_the_hash_seed() -> None:
    program = "from etude.identity.canonical import canonical; print(canonical({'a', 'b', 'c', 'd', (1, 'e')}))"
    texts = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(texts) == 1


def test_a_text_of_two_lone_surrogates_is_not_the_character_they_would_make() -> None:
    assert canonical("\ud83d\ude00") != canonical("😀")
    assert canonical("\ud83d\ude00").encode("utf-8")


def test_an_integer_longer_than_python_likes_to_print_has_a_text() -> None:
    assert canonical(10**5000) != canonical(10**5000 + 1)


def test_a_text_enum_is_its_member_and_not_its_text() -> None:
    assert canonical(Mode.MEAN) == f'enum("{__name__}:Mode","MEAN")' != canonical("mean")


def test_flags_are_the_set_of_their_members() -> None:
    assert canonical(Access.READ | Access.WRITE) == canonical(Access.WRITE | Access.READ)
    assert len({canonical(value) for value in (Access(0), Access.READ, Access.READ | Access.WRITE)}) == 3
    assert canonical(Bits.ONE | 4) != canonical(Bits.ONE | 8)


def test_a_frozen_dataclass_with_slots_is_its_name_and_fields() -> None:
    assert canonical(Spec(rate=1.0)) == f'data("{__name__}:Spec"){{"epochs"=int:3,"rate"=float:0x1.0000000000000p+0}}'


def test_numpy_is_not_imported_to_look_for_its_scalars() -> None:
    program = """
import sys
from etude.identity.canonical import canonical
try:
    canonical(object())
except Exception:
    pass
print('numpy' in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


class OwnZone(tzinfo):
    def utcoffset(self, moment: datetime | None) -> timedelta:
        return timedelta(0)


def local_class() -> object:
    @dataclass(frozen=True)
    class Hidden:
        x: int = 0

    return Hidden()


def local_enum() -> object:
    return Enum("Hidden", "A", qualname="local_enum.<locals>.Hidden").A  # type: ignore[attr-defined]


def looped() -> list[object]:
    loop: list[object] = [1]
    loop.append({"again": loop})
    return loop


REFUSED = [
    (object(), "object", "frozen dataclass"),
    (Loose(), "Loose", "frozen=True"),
    (Undecorated(), "Undecorated", "decorate it"),
    (NamedList(), "NamedList", "hold it in a field"),
    (Unset(), "Unset", "never set"),
    (Path("data.csv"), "PosixPath", "InputFile"),
    (PurePosixPath("x"), "PurePosixPath", "placement"),
    (len, "builtin_function_or_method", "name it by text"),
    (lambda: 0, "function", "name it by text"),
    (int, "type", "name it by text"),
    ((number for number in range(3)), "generator", "list(value)"),
    (iter([1]), "list_iterator", "list(value)"),
    (OrderedDict(a=1), "OrderedDict", "dict(value)"),
    (Couple(1), "Couple", "tuple(value)"),
    (range(3), "range", "numbers, text"),
    (bytearray(b"a"), "bytearray", "numbers, text"),
    (datetime(2024, 1, 1, tzinfo=OwnZone()), "OwnZone", "timezone.utc"),
    ({float("nan"): 1, float("nan") * 1: 2}, "dict", "each key once"),
    (local_class(), "Hidden", "top of its module"),
    (local_enum(), "Hidden", "top of its module"),
]


@pytest.mark.parametrize(("value", "kind", "mend"), REFUSED, ids=[f"{kind}-{mend}" for _, kind, mend in REFUSED])
def test_what_has_no_fixed_form_is_refused_with_its_path_type_and_mend(value: object, kind: str, mend: str) -> None:
    with pytest.raises(IdentityError) as refused:
        canonical({"x": [0, 1, Point(value, 3)]}, "settings")
    told = str(refused.value)
    assert "settings.x[2].x" in told
    assert kind in told
    assert mend in told


def test_numpy_arrays_and_platform_dependent_scalars_are_refused() -> None:
    import numpy as np

    for value, mend in ((np.zeros(2), "tolist"), (np.longdouble(1), "float(value)"), (np.void(b"a"), "float(value)")):
        with pytest.raises(IdentityError, match=mend.replace("(", r"\(").replace(")", r"\)")):
            canonical(value)


def test_a_value_that_contains_itself_is_refused_where_it_does() -> None:
    with pytest.raises(IdentityError, match=r"value\[1\]\.again: the value contains itself"):
        canonical(looped())


def test_a_value_may_hold_another_twice() -> None:
    inner = [1]
    assert canonical([inner, inner]) == "[[int:1],[int:1]]"


@pytest.mark.parametrize(
    "wrap", [lambda x: [x], lambda x: (x,), lambda x: {"a": x}, Point], ids=["list", "tuple", "dict", "data"]
)
def test_values_are_refused_beyond_the_documented_depth_and_never_by_recursion(wrap: object) -> None:
    value: object = 1
    for _ in range(DEEPEST):
        value = wrap(value)  # type: ignore[operator]
    canonical(value)
    for _ in range(1000):
        value = wrap(value)  # type: ignore[operator]
    with pytest.raises(IdentityError, match=f"more than {DEEPEST} deep"):
        canonical(value)


def test_a_key_that_has_no_form_is_told_as_a_key() -> None:
    with pytest.raises(IdentityError, match=r"settings\[tuple\]: as a key"):
        canonical({(1, object()): 2}, "settings")


def test_an_element_of_a_set_is_told_as_such() -> None:
    with pytest.raises(IdentityError, match=r"value\{…\}\[1\]"):
        canonical({(1, object())})
