"""The LaTeX table compiles: by a strict reading of the commands that we write, and by an engine where there is one."""

from __future__ import annotations

import re
import shutil
import string
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.analysis.estimates import estimate
from etude.analysis.summary import Group, Reference, StudySummary
from etude.report.tables.latex import escape, latex_text

PDFLATEX = shutil.which("pdflatex")
PLAIN = re.compile(r"[^\\{}$&#%_~^\[\]*\n]")
COMMAND = re.compile(
    r"\\(?:textbackslash|textasciitilde|textasciicircum|textless|textgreater|textbar)\{\}|\\[{}$&#%_]|\{[]\[*]\}|\$\\pm\$|\\allowbreak\{\}"
)
_DIGITS, _POWER = r"(?:-?[\d.]+|\\mathbf\{-?[\d.]+\})", r"(?: \\times 10\^\{-?\d+\})"
NUMBER = re.compile(rf"\$(?:{_DIGITS}{_POWER}?(?: \\pm [\d.]+{_POWER}?)?|\({_DIGITS} \\pm [\d.]+\){_POWER})\$")
RULES = ("\\toprule", "\\midrule", "\\bottomrule")


STACK = re.compile(r"\\shortstack\[r\]\{(.*)\}")
NOTE = r"\$\^\\dagger\$ replicates are missing"


def cell_is_sound(cell: str) -> bool:
    """Whether a cell is text and commands of ours, with nothing left over."""
    cell = cell.removesuffix(r"$^\dagger$").removeprefix(r"\raggedright ")
    if cell in ("$n$", "--", "") or NUMBER.fullmatch(cell):
        return True
    if stack := STACK.fullmatch(cell):
        return all(cell_is_sound(line) for line in stack[1].split(r" \\ "))
    at = 0
    while at < len(cell):
        match = COMMAND.match(cell, at) or PLAIN.match(cell, at)
        if match is None:
            return False
        at = match.end()
    return True


def tables(text: str) -> list[list[str]]:
    """The tables of a file, line by line."""
    found: list[list[str]] = [[]]
    for line in text.removesuffix("\n").split("\n"):
        if line == "\\medskip":
            found.append([])
        elif line and line != "\\noindent" and not line.startswith("%"):
            found[-1].append(line)
    return found


def faults(text: str) -> list[str]:
    """What a TeX engine would stumble over, line by line."""
    return [fault for lines in tables(text) for fault in faults_of_one(lines)]


def faults_of_one(lines: list[str]) -> list[str]:
    head = re.fullmatch(r"\\begin\{tabular\}\{((?:l|p\{\d+pt\})+r+)\}", lines[0])
    if head is None or lines[-1] != "\\end{tabular}":
        return ["no tabular"]
    columns = len(re.sub(r"\{.*?\}", "", head[1]))
    found = []
    for line in lines[1:-1]:
        if line in RULES or re.fullmatch(rf"\\multicolumn\{{{columns}\}}\{{l\}}\{{{NOTE}\}} \\\\", line):
            continue
        if not line.endswith(r" \\"):
            found.append(f"no end of row: {line}")
            continue
        cells = re.split(r"(?<!\\) & |(?<!\\) &(?= )", line.removesuffix(r" \\"))
        if len(cells) != columns:
            found.append(f"{len(cells)} cells for {columns} columns: {line}")
        found += [f"not sound: {cell}" for cell in cells if not cell_is_sound(cell.strip())]
    return found


def named(names: list[str]) -> StudySummary:
    groups = tuple(
        Group(name=f"k={name}", params={"k": name}, replicates=2, estimates={"q.m_1": estimate([-0.1, index / 7])})
        for index, name in enumerate(names)
    )
    return StudySummary(
        metrics=("q.m_1",),
        costs=(),
        varied=("k",),
        repeat="seed",
        lower_is_better=(),
        groups=groups,
        comparisons=(),
        references=(Reference(node="base", title=names[0] if names else "x", values={"q.m_1": 1e-9}),),
        notes=("100 % of \\nothing {",),
    )


def test_the_strict_reading_finds_what_is_wrong() -> None:
    good = latex_text(named(["a"]))
    assert faults(good) == []
    for wrong in (("a &", "a_b &"), ("$n$ &", "$n$ & x &"), (r" \\", " "), ("a &", "\\x &"), ("a &", "$a &")):
        assert faults(good.replace(*wrong)), wrong


@given(st.lists(st.text(max_size=12), min_size=1, max_size=4, unique=True))
def test_every_table_is_sound_whatever_the_names(names: list[str]) -> None:
    assert faults(latex_text(named(names))) == []


def test_a_table_of_no_groups_is_sound(summary: StudySummary) -> None:
    assert faults(latex_text(replace(summary, groups=(), references=()))) == []


def test_names_beyond_ascii_are_kept_and_what_they_need_is_said() -> None:
    assert "fontenc" not in latex_text(named(["plain"]))
    text = latex_text(named(["größe 大"]))
    assert "größe 大" in text
    assert "fontenc" in text
    assert faults(text) == []


DOCUMENT = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage{booktabs}
\begin{document}
\begin{table}\centering\input{table.tex}\caption{A table}\end{table}
%s
\end{document}
"""


def compiled(folder: Path, table: str, more: str = "", document: str = "") -> str:
    """Compile a document with this table; what the engine said, its first fault as the assertion."""
    assert PDFLATEX is not None
    (folder / "table.tex").write_text(table, encoding="utf-8")
    (folder / "paper.tex").write_text(document or DOCUMENT % more, encoding="utf-8")
    words = [PDFLATEX, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "paper.tex"]
    done = subprocess.run(words, cwd=folder, capture_output=True, timeout=120, check=False)
    said = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, said[-2000:]
    assert (folder / "paper.pdf").read_bytes().startswith(b"%PDF")
    return said


def has_booktabs() -> bool:
    kpsewhich = shutil.which("kpsewhich")
    if PDFLATEX is None or kpsewhich is None:
        return False
    return subprocess.run([kpsewhich, "booktabs.sty"], capture_output=True, check=False).returncode == 0


engine = pytest.mark.skipif(not has_booktabs(), reason="no pdflatex with booktabs on this machine")


@pytest.mark.slow
@engine
def test_an_engine_compiles_the_table(summary: StudySummary, tmp_path: Path) -> None:
    assert "Overfull" not in compiled(tmp_path, latex_text(summary))


def wide(metrics: int, label: str, params: int = 1) -> StudySummary:
    """Groups in many metrics, with long names, exponents, intervals and missing replicates."""
    names = tuple(f"latency.single_{index}.examples_per_second_and_{'x' * index}" for index in range(metrics))
    values = [[0.7, 0.72, None], [2.46e-7, 2.5e-7, 2.4e-7], [1296288000000.0, 1.2e12, 1.4e12], [-12345.6, 1.0, 3.0]]
    groups = tuple(
        Group(
            name=f"g{at}",
            params={f"{label} {place}": f"{label} {at}" for place in range(params)},
            replicates=3,
            estimates={name: estimate(values[(at + place) % len(values)]) for place, name in enumerate(names)},
        )
        for at in range(4)
    )
    return StudySummary(
        metrics=names,
        costs=(),
        varied=tuple(groups[0].params),
        repeat="seed",
        lower_is_better=names,
        groups=groups,
        comparisons=(),
        references=(Reference(node="base", title=label, values=dict.fromkeys(names, 0.5)),),
        units=dict.fromkeys(names, "g CO2eq"),
    )


@pytest.mark.slow
@engine
@pytest.mark.parametrize(
    ("metrics", "label", "params"),
    [
        (16, "pooling", 1),
        (16, "pooling", 4),
        (3, "the learning rate of the head and of the body of the network, which differ", 2),
        (2, "a_name/without.any-blank_that_goes_on_for_ever_and_ever_and_EVERYWHERE_WWWWWWWWWWWWWWWWWWWWWWWWWWW", 1),
    ],
)
def test_a_table_of_many_metrics_or_long_names_is_no_wider_than_its_page(
    metrics: int, label: str, params: int, tmp_path: Path
) -> None:
    text = latex_text(wide(metrics, label, params))
    assert faults(text) == []
    assert len(re.findall(r"\\pm|\$0\.5000\$", text)) >= metrics * 4, "every number is there"
    assert "Overfull \\hbox" not in compiled(tmp_path, text)


@pytest.mark.slow
@engine
def test_an_engine_prints_every_mark_of_a_keyboard_as_it_is(tmp_path: Path) -> None:
    marks = string.punctuation
    names = [*marks, *(f"{mark}{mark}x{mark}" for mark in marks), "a]b[c", "\\input{x}", "%", "^^M", "«Größe»"]
    compiled(tmp_path, latex_text(named(names)), "\n\n".join(map(escape, names)))


def tall(groups: int, label: str = "k", short: int | None = None) -> StudySummary:
    """So many groups in one metric, one of them short of replicates."""
    made = named([f"{label} {at}" for at in range(groups)])
    if short is None:
        return made
    lacking = replace(made.groups[short], estimates={"q.m_1": estimate([0.5, None])})
    return replace(made, groups=(*made.groups[:short], lacking, *made.groups[short + 1 :]))


IN_THE_TEXT = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage{booktabs}
\begin{document}
\input{table.tex}
\end{document}
"""


def pages_of(said: str) -> int:
    count = re.search(r"\((\d+) pages?", said)
    assert count
    return int(count[1])


def test_a_table_taller_than_a_page_is_parted_with_its_heads_above_each_part_and_no_row_lost() -> None:
    text = latex_text(tall(119, short=100))
    parts = tables(text)
    assert faults(text) == []
    assert len(parts) == 3
    assert [part[2] for part in parts] == ["k & $n$ & m\\_1 \\\\"] * 3
    rows = [line for part in parts for line in part if line.startswith("k ") and "$n$" not in line]
    assert [row.partition(" &")[0] for row in rows] == [*(f"k {at}" for at in range(119)), "k 0 (reference)"]
    assert ["replicates are missing" in "".join(part) for part in parts] == [False, False, True]
    assert "% Together they need more than one page" in text


def test_a_table_that_fits_its_page_is_one() -> None:
    text = latex_text(tall(30))
    assert len(tables(text)) == 1
    assert "page" not in text


@pytest.mark.slow
@engine
@pytest.mark.parametrize(
    ("groups", "label", "pages"), [(40, "k", 1), (130, "k", 4), (60, "a long name of a group " * 8, 8)]
)
def test_an_engine_puts_each_part_of_a_tall_table_on_a_page(
    groups: int, label: str, pages: int, tmp_path: Path
) -> None:
    said = compiled(tmp_path, latex_text(tall(groups, label)), document=IN_THE_TEXT)
    assert "Overfull" not in said
    assert pages - 1 <= pages_of(said) <= pages
