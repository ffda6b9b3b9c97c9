"""Which of étude's own code is part of a step's identity.

The rule: code counts if it can change a value that is stored. So these count, by their symbols as a user's code does:

- the rooms of steps, and what they compute with (`COUNTED`);
- elsewhere, the modules of which a value comes to stand in a result: statistics of what was measured, its quality, the
  direction of a metric, the digits of a number (`COUNTED` as well, by the whole name of the module).

All other code of étude does not: it plans, stores, executes, meters, reports, logs and words errors, and none of that
changes what a step returns. Nor does, inside the rooms that count:

- a function that only checks: one whose name begins with `require` and that returns None. It changes nothing and is
  called for its refusal alone;
- what an error says: the arguments of an error of étude's (`ERRORS`) that is raised. Its type counts.

So a new release that words errors, checks more, meters or runs in another way reruns nothing. A check that comes to
refuse what was computed before does not take the stored result back.
"""

from __future__ import annotations

import ast

COUNTED = frozenset(
    {
        *("analysis", "command", "disruption", "ensemble", "flops", "inference", "language", "nn", "text"),
        *(
            "digits",
            "graph.command_lines",
            "graph.metric",
            "graph.pipeline",
            "meter.latency",
            "meter.sources.quantity",
            "units",
        ),
    }
)
"""Rooms and modules of étude whose code makes values that are stored."""
ERRORS = frozenset({"ConfigError", "MeterError", "StepError"})
"""What étude raises to refuse something. No room that counts goes on after one of them."""

_AROUND = frozenset(name[:end] for name in COUNTED for end, letter in enumerate(name) if letter == ".")


def counts(name: str) -> bool:
    """Whether a module of étude, named without `etude.`, is part of identity though the module around it is not."""
    return name in COUNTED


def holds_code_that_counts(name: str) -> bool:
    """Whether a module of étude that does not count itself holds one that does."""
    return name in _AROUND


def only_checks(module: str, statement: ast.stmt) -> bool:
    """Whether a top-level statement of a module is a function of étude's that only refuses what is wrong."""
    return (
        module.startswith("etude.")
        and isinstance(statement, ast.FunctionDef)
        and statement.name.lstrip("_").partition("_")[0] == "require"
        and isinstance(statement.returns, ast.Constant)
        and statement.returns.value is None
    )


def drop_messages(module: str, tree: ast.Module) -> None:
    """Take out of étude's own code what the errors that it raises are given to say."""
    for node in ast.walk(tree) if module.startswith("etude.") else ():
        raised = node.exc if isinstance(node, ast.Raise) else None
        if isinstance(raised, ast.Call) and isinstance(raised.func, ast.Name) and raised.func.id in ERRORS:
            raised.args, raised.keywords = [], []
