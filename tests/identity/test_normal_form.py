from __future__ import annotations

import ast
import hashlib
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.identity.normal_form import normal_form
from strategies import same


def form(source: str) -> str:
    return normal_form(ast.parse(textwrap.dedent(source)))


EQUAL = {
    "comments": ("x = 1  # one\n# two\n", "x = 1"),
    "blank lines and spaces": ("def f( a ,b ):\n\n\n    return ( a+b )\n", "def f(a, b): return a + b"),
    "line breaks": ("x = [\n    1,\n    2,\n]", "x = [1, 2]"),
    "quotes": ("x = 'a' \"b\"", 'x = """ab"""'),
    "escapes": (r"x = '\x41'", "x = 'A'"),
    "numbers": ("x = 0x10 + 1_000 + 1e3", "x = 16 + 1000 + 1000.0"),
    "a unicode prefix": ("x = u'a'", "x = 'a'"),
    "a module's docstring": ('"""Text."""\nx = 1', "x = 1"),
    "a function's docstring": ('def f():\n    """Text."""\n    return 1', "def f(): return 1"),
    "a docstring alone": ('def f():\n    """Text."""', "def f(): pass"),
    "an ellipsis alone": ("def f(): ...", "def f(): pass"),
    "a docstring of a class and of its field": ('class C:\n "Text."\n x: int = 1\n "Text."', "class C: x: int = 1"),
    "an else that does nothing": ("if a: b\nelse: pass", "if a: b"),
    "elif": ("if a: b\nelif c: d", "if a: b\nelse:\n if c: d"),
    "type comments": ("x = []  # type: list[int]", "x = []"),
    "split f-strings": ("x = f'a' 'b' f'{c}' 'd' f'e'", "x = f'ab{c}de'"),
    "an empty format": ("x = f'{a:}'", "x = f'{a}'"),
    "parentheses of a tuple": ("for x in (1, 2): x", "for (x) in 1, 2: x"),
}


@pytest.mark.parametrize(("left", "right"), EQUAL.values(), ids=EQUAL.keys())
def test_what_behaves_alike_has_one_form(left: str, right: str) -> None:
    assert form(left) == form(right)


UNEQUAL = {
    "a constant": ("x = 1", "x = 2"),
    "the type of a constant": ("x = 1", "x = True"),
    "a float and an integer": ("x = 1", "x = 1.0"),
    "the sign of nought": ("x = 0.0", "x = -0.0"),
    "text and bytes": ("x = 'a'", "x = b'a'"),
    "None and Ellipsis": ("x = None", "x = ..."),
    "an annotation": ("def f(x: int): pass", "def f(x: str): pass"),
    "a return annotation": ("def f() -> int: pass", "def f(): pass"),
    "a default of None and none": ("def f(*, x): pass", "def f(*, x=None): pass"),
    "a key of None and an unpacking": ("x = {None: a}", "x = {**a}"),
    "positional-only": ("def f(x, /): pass", "def f(x): pass"),
    "keyword-only": ("def f(*, x): pass", "def f(x): pass"),
    "a star": ("def f(*x): pass", "def f(**x): pass"),
    "a decorator": ("@a\ndef f(): pass", "def f(): pass"),
    "the order of decorators": ("@a\n@b\ndef f(): pass", "@b\n@a\ndef f(): pass"),
    "async": ("async def f(): pass", "def f(): pass"),
    "an operator": ("x = a + b", "x = a - b"),
    "the grouping": ("x = (a + b) * c", "x = a + b * c"),
    "a comparison": ("x = a < b", "x = a <= b"),
    "list and tuple": ("x = [1]", "x = (1,)"),
    "set and list": ("x = {1}", "x = [1]"),
    "a slice": ("x[1:]", "x[:1]"),
    "a slice's step": ("x[1:2]", "x[1::2]"),
    "a conversion": ("f'{x}'", "f'{x!r}'"),
    "a format": ("f'{x:>3}'", "f'{x:>4}'"),
    "a text and an f-string": ("f'x'", "'x'; y"),
    "an empty f-string and nothing": ("def f(): return f''", "def f(): return"),
    "return None and return": ("def f(): return None", "def f(): return"),
    "return and yield": ("def f(): return x", "def f(): yield x"),
    "else and what follows": ("for a in b: c\nelse: d", "for a in b: c\nd"),
    "what is in a block": ("if a:\n b\n c", "if a:\n b\nc"),
    "an import's alias": ("import a as b", "import a as c"),
    "a relative import's level": ("from . import a", "from .. import a"),
    "global and nonlocal": ("def f(): global x", "def f(): nonlocal x"),
    "case None and case False": ("match a:\n case None: b", "match a:\n case False: b"),
    "a match guard": ("match a:\n case b if c: d", "match a:\n case b: d"),
    "star of a call": ("f(*a)", "f(a)"),
    "a keyword's name": ("f(a=1)", "f(b=1)"),
    "a keyword and an unpacking": ("f(a=b)", "f(**b)"),
    "the order of statements": ("a\nb", "b\na"),
    "a name's spelling": ("x = a", "x = A"),
    "except and except star": ("try: a\nexcept B: c", "try: a\nexcept* B: c"),
    "bare except": ("try: a\nexcept: c", "try: a\nexcept B: c"),
    "an annotation alone": ("x: int", "x: int = 0"),
    "async comprehension": ("async def f(): [x async for x in y]", "async def f(): [x for x in y]"),
}


@pytest.mark.parametrize(("left", "right"), UNEQUAL.values(), ids=UNEQUAL.keys())
def test_what_behaves_apart_has_two_forms(left: str, right: str) -> None:
    assert form(left) != form(right)


CONSTANTS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    st.just(1j),
)


@given(CONSTANTS, CONSTANTS)
def test_the_form_of_a_constant_is_exact(left: object, right: object) -> None:
    assert (normal_form(ast.Constant(left)) == normal_form(ast.Constant(right))) == same(left, right)


def test_the_form_of_a_deep_expression_needs_no_recursion() -> None:
    assert form("x = " + " + ".join(["a"] * 900))


DIGEST = "2abe37d7b2d4b4c71b1bfa9a16c2f5b66914c954f31f72626ce8555a160f0c3d"
EVERYTHING = '''
"""Docstring."""
from __future__ import annotations
import a.b as c, d
from ..e import (f, g as h)
@i.j(k, l=1)
async def m(n, /, o: int = 2, *p: str, q, r=None, **s) -> t[u]:
    """Docstring."""
    global v
    async with w as (x, y), z: await aa
    async for ab in ac: yield
    else: return lambda ad, *ae, af=3: ad if ae else af
class ag(ah[ai], metaclass=aj):
    ak: al = 0.1
    am, *an = 1, 2.5e-300, 3j, b"\\xff", "\\u20ac\\ud800", ..., None, True
    ao += -ap ** +aq // ~ar @ (not as_)
try:
    at = [au for av in aw if ax for ay in az], {ba: bb for bc in bd}, {be for bf in bg}
    bh = f"{bi!r:>{bj}} and {bk=} {bl:%Y}" "text" f"{'nested'}"
except (bm, bn) as bo: raise bp from bq
except br: del bs[bt:bu:bv, ...], bw.bx
finally: assert by, "message"
while (bz := ca) and cb or cc: break
else: pass
if cd < ce <= cf is not cg not in ch: continue_ = {**ci, "cj": ck}
elif cl: cm(*cn, co=cp, **cq)
match cr:
    case 1 | "two" | None | -3.5 | cs.ct: ...
    case [cu, *cv, _] | (cw, *_): pass
    case {"cx": cy, **cz}: pass
    case da(db, dc=dd) as de if df: pass
with dg: nonlocal_ = (yield_ for yield_ in dh)
'''


def test_the_form_never_changes_nor_depends_on_the_version_of_python() -> None:
    assert hashlib.sha256(form(EVERYTHING).encode()).hexdigest() == DIGEST


def test_the_form_of_a_small_function_can_be_read() -> None:
    assert form("def f(x: int = 1):\n    '''Doc.'''\n    return [x, None]") == (
        'Module(body=[FunctionDef(args=arguments(args=[arg(annotation=$int arg="x" ),]defaults=[int:1,]) '
        'body=[Return(value=List(elts=[$x,none,]) ),]name="f" ),])'
    )
