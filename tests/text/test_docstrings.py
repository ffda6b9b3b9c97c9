"""Sentences are taken from docstrings without importing, and without what would give their label away."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from etude.errors import StepError
from etude.text.docstrings import first_sentence, fits, sentences, template

WORDS = (4, 40)
WORDS_IN = ("cat", "dog", "cow", "hen")
Packages = Callable[[Mapping[str, str]], None]


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packages:
    """Puts packages on the path: file → source. Importing any of them is an error."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(files: Mapping[str, str]) -> None:
        for name, source in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            (path.parent / "__init__.py").touch()
            path.write_text(f"{source}\nraise SystemExit('imported')\n", encoding="utf-8")

    return write


def found(names: tuple[str, ...], per_label: int = 10, seed: int = 0) -> list[tuple[str, str]]:
    found = sentences(names, per_label=per_label, words=WORDS, seed=seed)
    return [(each.text, each.label) for each in found]


def defined(*docstrings: str) -> str:
    return "\n".join(f'def f{index}():\n    """{text}"""' for index, text in enumerate(docstrings))


def test_modules_classes_functions_and_methods_are_read_and_nothing_is_imported(packages: Packages) -> None:
    packages(
        {
            "zebras/inner.py": '"""Stripes of every kind."""\n'
            "class Zebra:\n"
            '    """An animal that runs in herds."""\n'
            "    if True:\n"
            "        async def run(self):\n"
            '            """Run as fast as possible."""\n'
        }
    )
    assert {text for text, _ in found(("zebras",))} == {
        "Stripes of every kind.",
        "An animal that runs in herds.",
        "Run as fast as possible.",
    }
    assert "zebras" not in sys.modules


def test_a_sentence_of_two_packages_is_in_neither(packages: Packages) -> None:
    shared = "Return a copy of the thing."
    packages(
        {"zebras/a.py": defined(shared, "Count the stripes of one."), "gnus/a.py": defined(shared.upper().title())}
    )
    packages({"gnus/b.py": defined("Cross the river with others.")})
    assert sorted(found(("zebras", "gnus"))) == [
        ("Count the stripes of one.", "zebras"),
        ("Cross the river with others.", "gnus"),
    ]


def test_sentences_from_one_template_count_once(packages: Packages) -> None:
    packages({"zebras/a.py": defined(*(f"Construct a fast Model{n}Tokenizer with {n} parts." for n in range(9)))})
    assert len(found(("zebras",))) == 1


def test_a_sentence_that_names_a_label_package_is_dropped_whatever_its_own_label(packages: Packages) -> None:
    packages(
        {
            "zebras/a.py": defined("Convert the herd to gnus at once.", "Zebras are counted here, always."),
            "gnus/a.py": defined("Walk to the water and drink.", "Return a GnusArray of all animals."),
        }
    )
    assert found(("zebras", "gnus")) == [("Walk to the water and drink.", "gnus")]


def test_no_label_has_more_than_its_share_and_another_seed_takes_others(packages: Packages) -> None:
    words = [f"{a} {b}" for a in ("red", "blue", "green", "grey") for b in ("fox", "owl", "eel", "ant", "bee")]
    packages({"zebras/a.py": defined(*(f"Look at the {word} today." for word in words))})
    first, again, other = (found(("zebras",), per_label=8, seed=seed) for seed in (0, 0, 1))
    assert len(first) == 8
    assert first == again
    assert set(first) != set(other)


def test_tests_and_vendored_code_are_left_out(packages: Packages) -> None:
    packages(
        {
            "zebras/tests/a.py": defined("Check the stripes of all."),
            "zebras/_vendor/b.py": defined("Parse a long text file."),
        }
    )
    assert found(("zebras",)) == []


def test_a_package_that_is_not_there_is_named() -> None:
    with pytest.raises(StepError, match="'no_such_package_at_all'"):
        found(("no_such_package_at_all",))


@pytest.mark.parametrize(
    ("docstring", "sentence"),
    [
        ("Sum the values. Then stop.", "Sum the values."),
        ("\n    Sum the\n    values, e.g. in rows.\n\n    More.", "Sum the values, e.g. in rows."),
        ("Return a :class:`~pkg.mod.Frame` of ``x`` and `y`.", "Return a Frame of x and y."),
        ("See :func:`the docs <pkg.docs>` for more.", "See the docs for more."),
        ("Wrap `numpy.linalg.norm` **quickly** [1]_.", "Wrap norm quickly ."),
        ("Read [the guide](https://x.y/z) first.", "Read the guide first."),
    ],
)
def test_markup_goes_and_the_words_stay(docstring: str, sentence: str) -> None:
    assert first_sentence(docstring) == sentence


@pytest.mark.parametrize(
    "text",
    [
        "Too short here.",
        "no capital at the start of it.",
        "Parameters ---------- pad is a float.",
        "Call f(x) to get the value back.",
        "Größe eines sehr langen Textes hier.",
        "Given the following options are known:",
        "A 1 2 3 4 5 6 7 8 9 10 11 12 of b c",
    ],
)
def test_what_is_no_sentence_of_prose_does_not_fit(text: str) -> None:
    assert not fits(text, WORDS)


def test_a_template_has_no_case_numbers_punctuation_or_code_names() -> None:
    assert template("Load BertModel with n_layers=12, please!") == template("load GPT2Model with n_heads 3 please")


@pytest.mark.slow
def test_the_default_packages_give_enough_english_for_every_label() -> None:
    from etude.text.steps import load

    table = load(per_label=900)
    texts, labels = table["text"].to_pylist(), table["label"].to_pylist()
    counts = Counter(labels)
    assert len(counts) >= 8
    assert len(texts) >= 8000
    assert min(counts.values()) == max(counts.values()) == 900
    assert len({text.casefold() for text in texts}) == len(texts)
    assert not any(name in text.casefold() for text in texts for name in counts)


def test_a_sentence_is_told_with_the_file_in_which_it_stands(packages: Packages) -> None:
    packages({"zebras/a.py": defined("Run in large herds."), "zebras/inner/b.py": defined("Graze all day long.")})
    told = {each.text: each.file for each in sentences(("zebras",), per_label=10, words=WORDS, seed=0)}
    assert told == {"Run in large herds.": "zebras/a.py", "Graze all day long.": "zebras/inner/b.py"}


def test_no_file_stands_in_two_splits_where_files_are_groups(packages: Packages) -> None:
    from etude.text.steps import load, split

    names = ("zebras", "yaks")
    for name in names:
        packages(
            {
                f"{name}/m{file}.py": defined(
                    *(f"{name[0].upper()} {word} of part {chr(97 + file)} runs." for word in WORDS_IN)
                )
                for file in range(12)
            }
        )
    data = load(packages=names, fewest_words=4, group="file")
    parts = split(data, seed=0)
    sides = [set(part["group"].to_pylist()) for part in (parts.train, parts.validation, parts.test)]
    assert all(sides)
    assert sum(map(len, sides)) == len(set.union(*sides)) == 24
    assert "group" not in load(packages=names, fewest_words=4).column_names
