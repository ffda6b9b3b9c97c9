"""English sentences that come with the installed packages: the first sentence of each docstring, labelled by package.

People wrote them, they need no download, and for given package versions they are always the same. Sources are parsed,
never imported. What would give the label away without reading the sentence is taken out: reStructuredText roles and
module paths are reduced to the last name, and a sentence that names any of the label packages (`GIVEN_AWAY`) is
dropped whole, because a mask in place of the name would itself be a clue.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from etude.errors import StepError

GIVEN_AWAY: Mapping[str, tuple[str, ...]] = {
    "numpy": ("np",),
    "scipy": ("sp",),
    "sklearn": ("scikit",),
    "pandas": ("pd",),
    "matplotlib": ("mpl", "plt", "pyplot", "pylab"),
    "networkx": ("nx",),
    "sympy": (),
    "torch": ("aten",),
    "transformers": ("hf", "huggingface", "hugging"),
}
"""Package → further words that name it. A package's own name gives it away even as a part of a word."""

_SKIPPED = frozenset({"test", "tests", "testing", "_vendor", "_vendored", "vendored", "externals", "_externals"})
"""Folders whose code is about checking a package, or is another package's."""

_ROLE = re.compile(r":[\w+.:-]+:`([^`]*)`")
_TITLED = re.compile(r"^(.*?)\s*<[^>]*>$")
_LINK = re.compile(r"`([^`<]+?)\s*<[^>`]*>`_{1,2}|\[([^\]]+)\]\([^)]*\)")
_QUOTED = re.compile(r"``([^`]+)``|`([^`]+)`_{0,2}")
_MARK = re.compile(r"\*\*|(?<!\w)\*(?=\w)|(?<=\w)\*(?!\w)|\|(?=\w)|(?<=\w)\||\[\d+\]_?|\[#\w*\]_?")
_DOTTED = re.compile(r"~?\b(?:[A-Za-z_]\w+\.)+([A-Za-z_]\w+)")
_ENDS = re.compile(r"(?<!\be\.g)(?<!\bi\.e)(?<!\bcf)(?<!\bvs)(?<!\betc)(?<!\bal)(?<![A-Z])[.!?](?=\s+[A-Z\"'(]|\s*$)")
_WORD = re.compile(r"[A-Za-z][A-Za-z'-]*")
_CODE = re.compile(r">>>|[{}\\=]|-[->]|::|@|https?:|\w\(")
_NAME = re.compile(r"\b(?:\w*_\w*|\w*\d\w*|\w*[a-z][A-Z]\w*)\b")
_OTHER = re.compile(r"[^a-z•]+")


class Sentence(NamedTuple):
    """One sentence."""

    text: str
    label: str
    """Import name of the package."""
    file: str
    """Where it was first met: `numpy/linalg/_linalg.py`."""


def sentences(packages: Sequence[str], *, per_label: int, words: tuple[int, int], seed: int) -> list[Sentence]:
    """Sentences with their package and file, at most `per_label` of each package, in a seeded order within it.

    No sentence occurs twice, and one that two packages share occurs not at all; two sentences are the same if they
    differ only in case, punctuation, numbers or code names (`BertModel`, `n_samples`), which takes out the docstrings
    that are stamped from one template.

    Args:
        packages: Import names of installed packages; nothing of them is imported.
        per_label: The most sentences kept of one package.
        words: The fewest and the most words of a sentence.
        seed: Decides which files are read first, and which sentences are kept where there are more.

    Raises:
        StepError: A package is not installed.
    """
    owners: dict[str, set[str]] = defaultdict(set)
    by_package: dict[str, dict[str, Sentence]] = {}
    naming = _naming(packages)
    for package in packages:
        kept: dict[str, Sentence] = {}
        for docstring, file in _docstrings(_folder(package), package, seed):
            sentence = first_sentence(docstring)
            if fits(sentence, words) and not naming.search(sentence):
                kept.setdefault(template(sentence), Sentence(sentence, package, file))
                if len(kept) >= 2 * per_label:
                    break
        by_package[package] = kept
        for key in kept:
            owners[key].add(package)
    return [
        kept[key]
        for kept in by_package.values()
        for key in sorted((key for key in kept if len(owners[key]) == 1), key=lambda key: _rank(key, seed))[:per_label]
    ]


def first_sentence(docstring: str) -> str:
    """The first sentence of a docstring as plain text: markup gone, white space single."""
    paragraph = " ".join(re.split(r"\n\s*\n", docstring.strip(), maxsplit=1)[0].split())
    text = _ROLE.sub(lambda role: _TITLED.sub(r"\1", role[1]).lstrip("~!"), paragraph)
    text = _LINK.sub(lambda link: link[1] or link[2], text)
    text = _QUOTED.sub(lambda quoted: quoted[1] or quoted[2], text)
    text = _DOTTED.sub(r"\1", _MARK.sub("", text))
    end = _ENDS.search(text)
    return " ".join((text[: end.end()] if end else text).split())


def fits(sentence: str, words: tuple[int, int]) -> bool:
    """Whether this is a sentence of English prose with a number of words in these bounds, and not code or a heading."""
    words_in_it = _WORD.findall(sentence)
    fewest, most = words
    letters = sum(map(len, words_in_it))
    return (
        fewest <= len(words_in_it) <= most
        and sentence.isascii()
        and sentence[0].isupper()
        and not sentence.endswith(":")
        and letters >= 0.75 * (len(sentence) - sentence.count(" "))
        and not _CODE.search(sentence)
    )


def template(sentence: str) -> str:
    """A sentence without what sets it apart from its siblings: case, punctuation, numbers, names of code."""
    return " ".join(_OTHER.sub(" ", _NAME.sub("•", sentence).lower()).split())


def _naming(packages: Sequence[str]) -> re.Pattern[str]:
    """Finds a package's name anywhere, also within a word (`TorchFunction`), and what else names it as a word."""
    others = sorted({word for package in packages for word in GIVEN_AWAY.get(package, ())})
    within = "|".join(map(re.escape, sorted(packages)))
    alone = "".join(rf"|\b{re.escape(word)}\b" for word in others)
    return re.compile(within + alone, re.IGNORECASE)


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package) if "." not in package else None
    if spec is None or not spec.submodule_search_locations:
        raise StepError(f"packages: {package!r} is no installed package. Mend: install it, or take it off the list.")
    return Path(next(iter(spec.submodule_search_locations)))


def _docstrings(folder: Path, package: str, seed: int) -> Iterator[tuple[str, str]]:
    """Docstrings of a package, each with its file, in a seeded order of files: the first are a fair sample."""
    inner = [path.relative_to(folder) for path in folder.rglob("*.py")]
    for path in sorted(inner, key=lambda path: _rank(f"{package}/{path.as_posix()}", seed)):
        if _SKIPPED & set(path.parts):
            continue
        try:
            tree = ast.parse((folder / path).read_bytes())
        except SyntaxError:  # templates and sources of other Python versions
            continue
        for node in _documented(tree):
            docstring = ast.get_docstring(node, clean=False)
            if docstring and docstring.strip():
                yield docstring, f"{package}/{path.as_posix()}"


def _documented(tree: ast.Module) -> Iterator[ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """What can hold a docstring, without walking into expressions, which are most of a tree."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        for block in ("body", "orelse", "finalbody", "handlers"):
            inner = getattr(node, block, ())
            if isinstance(inner, list):
                waiting.extend(reversed(inner))


def _rank(text: str, seed: int) -> bytes:
    return blake2b(text.encode(), digest_size=8, key=str(seed).encode()).digest()
