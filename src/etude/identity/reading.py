"""Files that code reads by a name that stands in it: a plan says that their content, being no code, does not count."""

from __future__ import annotations

import ast
import re

from etude.identity.references import last_name

_PATHS = frozenset({"Path", "PurePath", "PosixPath", "WindowsPath", "abspath", "expanduser", "expandvars", "fspath"})
_PATHS |= {"join", "normpath", "realpath", "str"}
_OPENING = frozenset({"open", "read_text", "read_bytes", "iterdir", "rglob", "glob", "iglob", "listdir", "scandir"})
_OPENING |= {"walk", "loadtxt", "genfromtxt", "fromfile", "imread", "memmap", "exists", "is_file", "isfile", "is_dir"}
_OPENING |= {"isdir", "stat", "getmtime", "getsize", "copyfile", "copytree", "read_csv", "read_parquet", "read_json"}
_METHODS = frozenset(
    {"open", "read_text", "read_bytes", "iterdir", "rglob", "glob", "exists", "is_file", "is_dir", "stat"}
)
_NO_READING = re.compile(
    r"(?:write|save|dump|to_|export|print|log|mkdir|touch|unlink|remove|rm|rename|replace|starts|ends|with_|r?split|"
    r"[lr]?strip|match|compile|sub$|format|add_argument|debug|info|warn|error|exception|join|suffix|count|index|find|"
    r"Path|PurePath|str$|fspath|getattr|setattr|hasattr|len$|isinstance|[A-Z]\w*(?:Error|Exception|Warning)$)\w*"
)
_SUFFIXES = (
    "arrow avro bin bz2 cfg conf csv dat db dll dylib feather gif gz h5 hdf5 html ini ipynb j2 jinja jpeg jpg json "
    "jsonl mat md model mp3 npy npz nt onnx orc parquet pickle pkl png pt pth py pyx R safetensors sav sh so sql "
    "sqlite stan tar tex tif tiff tmpl toml tsv txt wav webp xls xlsx xml xz yaml yml zip zst"
)
_FILE = re.compile(rf"(?:\.{{0,2}}/|~/)\S+|\S*[\w*]\.(?:{'|'.join(_SUFFIXES.split())})")
_FILE_ARGUMENTS = frozenset({"data_files", "file", "filename", "filepath", "filepath_or_buffer", "fname", "io", "path"})


def start_of(node: ast.expr | None) -> ast.expr | None:
    """What a path begins with: of `Path("data") / name` the text `"data"`."""
    while True:
        match node:
            case ast.BinOp(left=left, op=ast.Div() | ast.Add() | ast.Mod()):
                node = left
            case ast.JoinedStr(values=[first, *_]):
                node = first
            case ast.FormattedValue(value=value):
                node = value
            case ast.Call(func=ast.Attribute(value=ast.Constant(), attr="join")):
                return None  # of texts, not of paths
            case ast.Call(func=called, args=[first, *_]) if last_name(called) in _PATHS:
                node = first
            case ast.Call(func=ast.Attribute(value=value)) | ast.Attribute(value=value, attr="parent"):
                node = value
            case _:
                return node


def text_at(node: ast.expr | None) -> str | None:
    """The text that a path begins with, where it stands there."""
    start = start_of(node)
    return start.value if isinstance(start, ast.Constant) and isinstance(start.value, str) else None


def paths_read(call: ast.Call) -> list[ast.expr]:
    """The paths that a call reads, as far as they begin with a text or a name: what it looks like decides."""
    name = last_name(call.func)
    if isinstance(call.func, ast.Attribute) and name in _METHODS and not _names_file(call, name):
        return [] if _writes(call, call.args) else [call.func.value]
    given = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg in _FILE_ARGUMENTS)]
    if name in _OPENING:
        return [] if _writes(call, call.args[1:]) else given[:1]
    if _NO_READING.match(name):
        return []
    return [path for path in given if (text := text_at(path)) is not None and _looks_like_file(path, text)]


def reason(path: str) -> str:
    """What a plan says of it."""
    mend = "" if "://" in path else ": give it by a setting of type InputFile"
    return f"reads {path!r}, whose content does not count{mend}"


def _names_file(call: ast.Call, name: str) -> bool:
    """Whether a function of a module is called with a file's name, as in `io.open("a")`; not the method of a path."""
    if name.endswith("glob"):
        return isinstance(call.func, ast.Attribute) and last_name(call.func.value) == "glob"
    text = text_at(call.args[0]) if call.args else None
    return text is not None and re.fullmatch(r"[rwaxbt+U]{1,3}", text) is None


def _looks_like_file(path: ast.expr, text: str) -> bool:
    ends = path.values[-1] if isinstance(path, ast.JoinedStr) else path
    whole = ends.value if isinstance(ends, ast.Constant) else text
    return len(text) < 200 and any(isinstance(one, str) and _FILE.fullmatch(one) is not None for one in (whole, text))


def _writes(call: ast.Call, arguments: list[ast.expr]) -> bool:
    """Whether a file is opened to be written alone."""
    modes = [*arguments[:1], *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
    texts = [mode.value for mode in modes if isinstance(mode, ast.Constant) and isinstance(mode.value, str)]
    return any(re.fullmatch(r"[wax][bt]*", text) for text in texts)
