"""Constructs whose outcome the syntax does not tell, and the words for what stays unseen."""

from __future__ import annotations

_BUILTINS = {
    "__import__": "imports a module whose name is known only when it runs",
    "compile": "compiles text to code",
    "eval": "evaluates text as code",
    "exec": "runs text as code",
    "__file__": "goes by the place of its file; what it reads there is not code",
    "globals": "looks names up in globals()",
    "locals": "looks names up in locals()",
    "vars": "looks names up in vars()",
}
_READS_SOURCE = "reads source as text, of which comments, docstrings and layout do not count"
_PYTHON = {
    "importlib.__import__": "imports a module whose name is known only when it runs",
    "importlib.import_module": "imports a module whose name is known only when it runs",
    "importlib.metadata.entry_points": "takes what installed packages register as plug-ins",
    "importlib.resources": "reads files of a package, which are not code",
    "importlib.util.module_from_spec": "makes a module whose code is known only when it runs",
    "importlib.util.spec_from_file_location": "imports a file whose name is known only when it runs",
    "inspect.getcomments": _READS_SOURCE,
    "inspect.getdoc": _READS_SOURCE,
    "inspect.getsource": _READS_SOURCE,
    "inspect.getsourcelines": _READS_SOURCE,
    "linecache.getline": _READS_SOURCE,
    "linecache.getlines": _READS_SOURCE,
    "os.environ": "reads the environment",
    "os.environb": "reads the environment",
    "os.getenv": "reads the environment",
    "os.getenvb": "reads the environment",
    "pkgutil.get_data": "reads files of a package, which are not code",
    "pkgutil.iter_modules": "takes whatever modules it finds",
    "pkgutil.resolve_name": "imports a name that is known only when it runs",
    "pkgutil.walk_packages": "takes whatever modules it finds",
    "runpy.run_module": "runs a module as a script",
    "runpy.run_path": "runs a file as a script",
    "sys.modules": "takes a module from those that happen to be imported",
}


def open_builtin(name: str) -> str | None:
    """What a built-in function hides; None where it hides nothing."""
    return _BUILTINS.get(name)


def open_lookup(dotted: str) -> str | None:
    """What a name of the standard library, with the attributes taken of it, hides; None where it hides nothing."""
    parts = dotted.split(".")
    for end in range(2, len(parts) + 1):
        reason = _PYTHON.get(".".join(parts[:end]))
        if reason is not None:
            return reason
    return None
