"""Objects that libraries and users write to a folder themselves: data sets, estimators, pretrained models, own types.

What a library saves is kept as it is saved; nothing of it is a pickle. A type of a user's own has a codec by two
methods:

    @etude.codec
    class Mesh:
        def save(self, folder: Path) -> None: ...

        @classmethod
        def load(cls, folder: Path) -> "Mesh": ...

Their code is part of the identity of the steps that return it, as that of any class is.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar, get_origin

from etude.errors import StepError, StoreError
from etude.store.codecs.leaf import Tree, TypeName
from etude.store.codecs.paths import PathCodec
from etude.store.codecs.spelling import spelling_of, type_of_spelling
from etude.store.codecs.tables import TableCodec
from etude.store.files.artifact import Content
from etude.store.files.draft import Draft

T = TypeVar("T", bound=type)
_MARK = "__etude_codec__"
_FOLDER = PathCodec()


def codec(cls: T) -> T:
    """Have values of a class stored by its own `save(folder)` and `load(folder)`.

    Raises:
        TypeError: It lacks one of them.
    """
    for method in ("save", "load"):
        if not callable(getattr(cls, method, None)):
            raise TypeError(f"{cls.__qualname__} has no method {method}: a codec needs save(folder) and load(folder)")
    setattr(cls, _MARK, True)
    return cls


@contextlib.contextmanager
def _temporary() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="etude-") as folder:
        yield Path(folder)


def _keep(folder: Path, draft: Draft, at: str) -> Tree:
    tree = _FOLDER.encode(folder, draft, at)
    return {"folder": tree["folder"], "folders": tree["folders"], "links": tree["links"]}


def _stored(tree: Tree, content: Content) -> Path:
    return content.folder_at(tree["folder"], folders=tree["folders"], links=tree["links"])


class OwnCodec:
    """Types of a user's own, by their methods."""

    name = "own"
    types: tuple[TypeName, ...] = ()

    def encode(self, value: Any, draft: Draft, at: str) -> Tree:
        with _temporary() as folder:
            value.save(folder)
            if not any(folder.iterdir()):
                name = type(value).__qualname__
                raise StepError(f"{name}.save has written nothing to its folder.\n    Mend: write what load reads.")
            return {"codec": self.name, "type": spelling_of(type(value)), **_keep(folder, draft, at)}

    def decode(self, tree: Tree, content: Content, wanted: Any) -> Any:
        asked = get_origin(wanted) or wanted
        cls: Any = asked if isinstance(asked, type) and has_own_codec(asked) else type_of_spelling(tree["type"])
        if not has_own_codec(cls):
            raise StoreError(f"a stored value is a {tree['type']}, which has no codec any more: mark it with @codec")
        return cls.load(_stored(tree, content))


def has_own_codec(cls: type) -> bool:
    """Whether a class is marked with `codec`, or derives from one that is."""
    return isinstance(cls, type) and getattr(cls, _MARK, False) is True


class DatasetCodec:
    """Data sets of the `datasets` library: their Arrow files, mapped into memory when they are read."""

    name = "dataset"
    types: tuple[TypeName, ...] = (("datasets", "Dataset"), ("datasets", "DatasetDict"))

    def encode(self, value: Any, draft: Draft, at: str) -> Tree:
        splits = dict(value) if isinstance(value, dict) else {"": value}
        if isinstance(value, dict) and (odd := [name for name in splits if not _is_split(name)]):
            mend = "name it by letters and digits"
            raise StepError(f"a split named {odd[0]!r} of a data set is not stored.\n    Mend: {mend}.")
        with _temporary() as folder:
            for name, split in splits.items():
                _refuse_subclass(split, "datasets")
                if split.format["type"] == "custom":
                    mend = "set the transform where it is read; .map keeps what it computes"
                    raise StepError(f"a data set with a transform is not stored: it is code.\n    Mend: {mend}.")
                place = folder / name if name else folder
                with _quiet():
                    split.save_to_disk(str(place))
                _settle(place)
            tree: Tree = {"codec": self.name, **_keep(folder, draft, at)}
        if isinstance(value, dict):
            tree["splits"] = list(splits)
        return tree

    def decode(self, tree: Tree, content: Content, wanted: Any) -> Any:
        folder = _stored(tree, content)
        if "splits" not in tree:
            return self._load(folder)
        import datasets

        if not all(map(_is_split, tree["splits"])):
            raise StoreError(f"a stored data set has splits of no known names: {tree['splits']}")
        return datasets.DatasetDict({name: self._load(folder / name) for name in tree["splits"]})

    def item(self, tree: Tree, content: Content, name: str) -> Any:
        """One split. KeyError where there is none of that name."""
        if name not in tree.get("splits", ()) or not _is_split(name):
            raise KeyError(name)
        return self._load(_stored(tree, content) / name)

    def _load(self, folder: Path) -> Any:
        import datasets

        datasets.disable_caching()  # else `map` and `filter` would write into the folder of the stored result
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        return datasets.load_from_disk(str(folder)) if state["_data_files"] else _without_rows(folder, state)


def _is_split(name: object) -> bool:
    """Whether a split's name is the name of a folder too."""
    return isinstance(name, str) and re.fullmatch(r"\w[\w.-]*", name) is not None


def _without_rows(folder: Path, state: Any) -> Any:
    """A saved data set that has no row, and so no file of rows, which the library does not read."""
    import datasets

    info = datasets.DatasetInfo.from_directory(str(folder))
    columns: dict[str, list[Any]] = {name: [] for name in info.features}
    split = datasets.Split(state["_split"]) if state["_split"] else None
    made = datasets.Dataset.from_dict(columns, features=info.features, info=info, split=split)
    return made.with_format(state["_format_type"], columns=state["_format_columns"], **state["_format_kwargs"])


def _refuse_subclass(value: Any, package: str) -> None:
    """StepError for a class that is derived outside of the package: it would come back as the one within."""
    cls = type(value)
    if cls.__module__.partition(".")[0] != package:
        mend = "return what it holds, or mark it with @etude.codec"
        raise StepError(f"{cls.__qualname__}, derived from a class of {package}, is not stored.\n    Mend: {mend}.")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    import datasets

    shown = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if not shown:
            datasets.enable_progress_bars()


def _settle(folder: Path) -> None:
    """Give a saved data set a fingerprint that its content alone decides, so that equal data are equal files."""
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.arrow")):
        with file.open("rb") as data:
            digest.update(hashlib.file_digest(data, "sha256").digest())
    state["_fingerprint"] = digest.hexdigest()[:16]
    (folder / "state.json").write_text(json.dumps(state, indent=2, sort_keys=True), encoding="utf-8")


class PretrainedCodec:
    """Models, tokenizers and processors of `transformers`, as `save_pretrained` writes them."""

    name = "pretrained"
    types: tuple[TypeName, ...] = (
        ("transformers", "PreTrainedModel"),
        ("transformers", "PreTrainedTokenizerBase"),
        ("transformers", "ProcessorMixin"),
        ("transformers", "FeatureExtractionMixin"),
    )

    def encode(self, value: Any, draft: Draft, at: str) -> Tree:
        own = type(value).__module__.partition(".")[0] != "transformers"
        tree: Tree = {"codec": self.name, "of": type(value).__name__, "own": own}
        if hasattr(value, "state_dict"):
            _refuse_other_weights(value)
            frozen = [name for name, weight in value.named_parameters() if not weight.requires_grad]
            tree |= {"training": value.training, "frozen": frozen}
        with _temporary() as folder:
            value.save_pretrained(str(folder))
            return {**tree, **_keep(folder, draft, at)}

    def decode(self, tree: Tree, content: Content, wanted: Any) -> Any:
        import transformers

        asked = get_origin(wanted) or wanted
        concrete = isinstance(asked, type) and asked.__module__.partition(".")[0] != "builtins"
        known = None if tree.get("own") else getattr(transformers, tree["of"], None)
        cls = asked if concrete and hasattr(asked, "from_pretrained") else known
        if cls is None:
            mend = "annotate the input that reads it with its class"
            raise StoreError(f"a stored value is a {tree['of']}, which transformers has not.\n    Mend: {mend}.")
        value = cls.from_pretrained(str(_stored(tree, content)))
        if tree.get("training"):
            value.train()
        if frozen := set(tree.get("frozen", ())):
            for name, weight in value.named_parameters():
                weight.requires_grad_(name not in frozen)
        return value


def _refuse_other_weights(model: Any) -> None:
    """StepError for a model whose weights are not those that its class makes of its configuration.

    `from_pretrained` would leave out what the class has not, and draw by chance what the file has not.
    """
    import torch

    if getattr(model, "hf_quantizer", None) is not None:
        return
    try:
        with torch.device("meta"):
            made = set(type(model)(model.config).state_dict())
    except (TypeError, NotImplementedError):
        return  # its class takes more than its configuration
    if other := sorted(made ^ set(model.state_dict())):
        mend = "return its state_dict(), or wrap it in a class of yours with @etude.codec"
        what = f"{type(model).__name__} has other weights than its configuration says ({', '.join(other[:4])})"
        raise StepError(f"{what}, and would not come back as it is.\n    Mend: {mend}.")


class EstimatorCodec:
    """Fitted estimators and pipelines of scikit-learn, by skops: no code is stored, and only known types are made."""

    name = "estimator"
    types: tuple[TypeName, ...] = (("sklearn", "BaseEstimator"),)

    def encode(self, value: Any, draft: Draft, at: str) -> Tree:
        skops = _skops()
        data = _undated(_renumbered(skops.dumps(value)))
        if unknown := [name for name in skops.get_untrusted_types(data=data) if not _is_trusted(name)]:
            mend = "return its parts, or wrap it in a class of yours with @etude.codec"
            what = f"{type(value).__name__} holds what is not read back: {', '.join(unknown)}"
            raise StepError(f"{what}.\n    Mend: {mend}.")
        draft.put(f"{at}.skops", data)
        return {"codec": self.name, "file": f"{at}.skops", "of": type(value).__name__}

    def decode(self, tree: Tree, content: Content, wanted: Any) -> Any:
        skops, data = _skops(), content.read(tree["file"])
        return skops.loads(data, trusted=list(filter(_is_trusted, skops.get_untrusted_types(data=data))))


_TRUSTED = re.compile(
    r"sklearn\.(?!datasets\.|externals\.|utils\.|tests\.).*|numpy\.(dtype|mean)|scipy\.interpolate\._bsplines\.BSpline"
    r"|scipy\._lib\.array_api_compat\.numpy\._aliases\.asarray"
)
"""Parts of scikit-learn's own estimators, beside the types that skops trusts by itself."""


def _is_trusted(name: str) -> bool:
    return _TRUSTED.fullmatch(name) is not None


def _skops() -> Any:
    try:
        import skops.io
    except ImportError as error:
        raise StepError("scikit-learn's estimators are stored by skops.\n    Mend: pip install skops") from error
    return skops.io


def _renumbered(archive: bytes) -> bytes:
    """An archive of skops with numbers by order in place of addresses in memory and of random file names."""
    with zipfile.ZipFile(io.BytesIO(archive)) as old:
        files = {name: old.read(name) for name in old.namelist()}
    schema = files.pop("schema.json").decode()
    places = dict.fromkeys(re.findall(r'"__id__": (\d+)', schema))
    order = {place: str(number) for number, place in enumerate(places)}
    schema = re.sub(r'("__id__": )(\d+)', lambda match: match[1] + order[match[2]], schema)
    named = sorted((schema.find(json.dumps(name)), name) for name in files)
    names = {name: f"{number}{Path(name).suffix}" for number, (_, name) in enumerate(named)}
    for name, new in names.items():
        schema = schema.replace(json.dumps(name), json.dumps(new))
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as archive_file:
        archive_file.writestr("schema.json", schema)
        for name, data in files.items():
            archive_file.writestr(names[name], data)
    return into.getvalue()


def _undated(archive: bytes) -> bytes:
    """A zip archive without the time at which it was written."""
    into = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(into, "w") as new:
        for entry in sorted(old.namelist()):
            new.writestr(zipfile.ZipInfo(entry), old.read(entry))
    return into.getvalue()


class SparseCodec:
    """Sparse matrices and arrays of SciPy, in their own format."""

    name = "sparse"
    types: tuple[TypeName, ...] = (("scipy", "sparray"), ("scipy", "spmatrix"))

    def encode(self, value: Any, draft: Draft, at: str) -> Tree:
        import scipy.sparse

        _refuse_subclass(value, "scipy")
        if value.format not in ("csr", "csc", "coo", "bsr", "dia"):
            mend = "convert it: .tocsr()"
            raise StepError(f"a sparse matrix of the format {value.format} is not stored.\n    Mend: {mend}.")
        into = io.BytesIO()
        scipy.sparse.save_npz(into, value, compressed=False)
        draft.put(f"{at}.npz", _undated(into.getvalue()))
        return {"codec": self.name, "file": f"{at}.npz"}

    def decode(self, tree: Tree, content: Content, wanted: Any) -> Any:
        import scipy.sparse

        return scipy.sparse.load_npz(io.BytesIO(content.read(tree["file"])))


class GeneratorCodec:
    """A random generator of NumPy in its present state."""

    name = "generator"
    types: tuple[TypeName, ...] = (("numpy", "Generator"),)

    def encode(self, value: Any, draft: Draft, at: str) -> Tree:
        _refuse_subclass(value, "numpy")
        state = {**value.bit_generator.state, "seed_sequence": _seed_state(value.bit_generator)}
        text = json.dumps(state, default=lambda array: {"dtype": str(array.dtype), "values": array.tolist()})
        draft.put(f"{at}.json", text.encode())
        return {"codec": self.name, "file": f"{at}.json"}

    def decode(self, tree: Tree, content: Content, wanted: Any) -> Any:
        import numpy as np

        def arrays(part: dict[str, Any]) -> Any:
            return np.array(part["values"], dtype=part["dtype"]) if part.keys() == {"dtype", "values"} else part

        state = json.loads(content.read(tree["file"]), object_hook=arrays)
        name = str(state["bit_generator"])
        if name not in ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"):
            raise StoreError(f"a stored random generator is a {name}, which NumPy has not")
        seed = state.pop("seed_sequence", None)  # else it would spawn others
        generator = np.random.Generator(getattr(np.random, name)(np.random.SeedSequence(**seed) if seed else None))
        generator.bit_generator.state = state
        return generator


def _seed_state(bit_generator: Any) -> dict[str, Any] | None:
    """What a generator spawns others from; None where it was made without."""
    state = getattr(getattr(bit_generator, "seed_seq", None), "state", None)
    if not isinstance(state, dict):
        return None
    return {key: value if isinstance(value, int | None) else list(map(int, value)) for key, value in state.items()}


class SeriesCodec:
    """A series of pandas, by way of a frame of one column."""

    name = "series"
    types: tuple[TypeName, ...] = (("pandas", "Series"),)

    def encode(self, value: Any, draft: Draft, at: str) -> Tree:
        _refuse_subclass(value, "pandas")
        named = value.name is None or isinstance(value.name, str)
        if not named:
            raise StepError(f"a series whose name is {value.name!r} is not stored.\n    Mend: name it by a text.")
        inner = TableCodec().encode(value.to_frame(value.name or "values"), draft, at)
        return {"codec": self.name, "table": inner, "label": value.name}

    def decode(self, tree: Tree, content: Content, wanted: Any) -> Any:
        series = TableCodec().decode(tree["table"], content, object).iloc[:, 0]
        series.name = tree["label"]
        return series


LIBRARY_CODECS = (
    DatasetCodec(), PretrainedCodec(), EstimatorCodec(), SparseCodec(), GeneratorCodec(), SeriesCodec()
)  # fmt: skip
OWN = OwnCodec()
