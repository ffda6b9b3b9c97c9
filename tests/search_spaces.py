"""Spaces and goals that tests of searches share, and strategies that draw spaces."""

from __future__ import annotations

from hypothesis import strategies as st

from etude.search.space import Choice, Condition, Dimension, Float, Forbidden, Int, Ordinal, Space
from etude.search.trials import Goal

MINIMISE = Goal(metrics=("quality.loss",), directions=("minimize",))
TWO_GOALS = Goal(metrics=("quality.loss", "cost.energy_j"), directions=("minimize", "minimize"))

MIXED = Space(
    {
        "lr": Float(1e-5, 1e-2, log=True),
        "width": Int(32, 256, log=True),
        "drop": Float(0.0, 0.5, step=0.1),
        "layers": Int(1, 4),
        "loss": Choice(("hinge", "cross", "focal")),
        "size": Ordinal(("small", "medium", "large")),
    }
)
CONDITIONAL = Space(
    {
        "kind": Choice(("linear", "forest", "net")),
        "depth": Int(1, 12),
        "layers": Int(1, 3),
        "width2": Int(8, 64, log=True),
        "lr": Float(1e-4, 1.0, log=True),
    },
    (
        Condition(dimension="depth", on="kind", values=("forest",)),
        Condition(dimension="layers", on="kind", values=("net",)),
        Condition(dimension="width2", on="layers", values=(2, 3)),
        Condition(dimension="lr", on="kind", values=("net", "linear")),
    ),
    (Forbidden(values={"kind": "forest", "depth": (11, 12)}), Forbidden(values={"layers": 3, "width2": 64})),
)
FINITE = Space({"a": Choice(("x", "y")), "b": Int(0, 2), "c": Float(0.0, 1.0, step=0.5)})


@st.composite
def dimensions(draw: st.DrawFn) -> Dimension:
    """Any sound dimension."""
    match draw(st.sampled_from(["float", "log", "step", "int", "logint", "intstep", "choice", "ordinal"])):
        case "float":
            low = draw(st.floats(-1e6, 1e6))
            return Float(low, low + draw(st.floats(1e-3, 1e6)))
        case "log":
            low = draw(st.floats(1e-9, 1e3))
            return Float(low, low * draw(st.floats(1.5, 1e9)), log=True)
        case "step":
            step = draw(st.sampled_from([0.1, 0.25, 0.05, 2.0, 0.001]))
            low = draw(st.integers(-50, 50)) * step
            return Float(low, low + step * draw(st.integers(1, 40)), step=step)
        case "int":
            low_int = draw(st.integers(-100, 100))
            return Int(low_int, low_int + draw(st.integers(1, 1000)))
        case "logint":
            low_int = draw(st.integers(1, 100))
            return Int(low_int, low_int + draw(st.integers(1, 1000)), log=True)
        case "intstep":
            low_int = draw(st.integers(-100, 100))
            step_int = draw(st.integers(2, 9))
            return Int(low_int, low_int + step_int * draw(st.integers(1, 30)) + draw(st.integers(0, 1)), step=step_int)
        case "choice":
            return Choice(tuple(draw(st.lists(st.text(max_size=4), min_size=2, max_size=6, unique=True))))
        case _:
            return Ordinal(tuple(draw(st.lists(st.integers(), min_size=2, max_size=6, unique=True))))


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    """Any sound space, often with conditions on earlier dimensions."""
    found = {f"d{index}": draw(dimensions()) for index in range(draw(st.integers(1, 6)))}
    names = list(found)
    conditions = []
    for index, name in enumerate(names):
        above = [other for other in names[:index] if isinstance(found[other], (Choice, Ordinal))]
        if above and draw(st.booleans()):
            on = draw(st.sampled_from(above))
            options = found[on].options  # type: ignore[union-attr]
            values = draw(st.lists(st.sampled_from(options), min_size=1, max_size=len(options), unique=True))
            conditions.append(Condition(dimension=name, on=on, values=tuple(values)))
    return Space(found, tuple(conditions))
