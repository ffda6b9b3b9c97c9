"""One digest for all code that a step reaches, by what the code is and not by where it stands.

A function that moves to another file, or `import h` with `h.g()` in place of `from h import g`, gives the same digest.
A symbol goes by its content: its statement, in which every name that leads to another symbol is replaced by that
symbol's content. It goes by its name instead wherever its place, or which of several like it is meant, could matter:

- classes, for stored results name them; what is bound by several statements or changed by others; what reads its own
  module's name, imports inside, or stands in a module that is handled as an object; functions that call each other in a
  circle;
- symbols of like content: of two tables that begin empty, it matters which one is filled;
- all symbols, where something is not seen through, asks for the place of code, or is set for the whole process.

So two maps with one digest are the same graph of the same code.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from etude.identity.pieces import Piece
from etude.identity.resolve import Symbol


def content_digest(starts: Sequence[Symbol], pieces: Mapping[Symbol, Piece], fixed: Collection[Symbol]) -> str:
    """The digest of a graph of symbols.

    Args:
        starts: Where the step begins.
        pieces: All symbols that it reaches.
        fixed: Symbols that go by their names: those that others change, and those of modules handled as objects.
    """
    order = list(_components(pieces))
    circular = {symbol for component in order if len(component) > 1 for symbol in component}
    named = {symbol for symbol, piece in pieces.items() if not piece.movable or symbol in fixed} | circular
    while True:
        contents = _contents(order, pieces, named, fixed)
        counts = Counter(contents.values())
        alike = {symbol for symbol in pieces if counts[contents[symbol]] > 1}
        if not alike:
            break
        named |= alike
    lines = ["content", *sorted(contents[symbol] for symbol in starts), *sorted(contents.values())]
    return _sha("\n".join(lines))


def named_digest(symbols: Mapping[str, str]) -> str:
    """The digest where every symbol goes by its name."""
    return _sha("\n".join(["names", *(" ".join(pair) for pair in symbols.items())]))


def _contents(
    order: Sequence[Sequence[Symbol]],
    pieces: Mapping[Symbol, Piece],
    named: Collection[Symbol],
    fixed: Collection[Symbol],
) -> dict[Symbol, str]:
    """The content of each symbol; of one that goes by its name, with the name in it."""
    contents: dict[Symbol, str] = {}
    for component in order:
        found = {}
        for symbol in component:
            piece = pieces[symbol]
            lines = [str(symbol) if symbol in named else "", piece.form]
            for written, target in piece.names:
                if target == symbol:
                    lines.append("itself")
                elif target not in pieces:
                    lines.append(f"{written} {target}")
                else:
                    # What others may set anew counts with how it is written: `h.g` sees the new value, `g` does not.
                    lines.append(f"{written if target in fixed else ''} {contents.get(target, target)}")
            found[symbol] = _sha("\n".join(lines))
        contents.update(found)
    return contents


def _components(pieces: Mapping[Symbol, Piece]) -> Iterator[list[Symbol]]:
    """The symbols, those that name each other in a circle together, each after all that it names.

    Source: R. Tarjan, Depth-first search and linear graph algorithms, 1972; without recursion.
    """
    numbers: dict[Symbol, int] = {}
    low: dict[Symbol, int] = {}
    stack: list[Symbol] = []
    done: set[Symbol] = set()
    for root in sorted(pieces):
        work = [] if root in numbers else [(root, iter(_named_in(pieces, root)))]
        while work:
            symbol, others = work[-1]
            if symbol not in numbers:
                numbers[symbol] = low[symbol] = len(numbers)
                stack.append(symbol)
            for other in others:
                if other not in numbers:
                    work.append((other, iter(_named_in(pieces, other))))
                    break
                if other not in done:
                    low[symbol] = min(low[symbol], numbers[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[symbol])
                if low[symbol] == numbers[symbol]:
                    component = [stack.pop()]
                    while component[-1] != symbol:
                        component.append(stack.pop())
                    done.update(component)
                    yield sorted(component)


def _named_in(pieces: Mapping[Symbol, Piece], symbol: Symbol) -> list[Symbol]:
    return [target for _, target in pieces[symbol].names if target in pieces]


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
