"""Constructs whose outcome the syntax does not tell, and the words for what stays unseen."""

from __future__ import annotations

from collections.abc import Mapping

_BUILTINS = {
    "__doc__": "reads the docstring of its module, which does not count as code",
    "__spec__": "goes by the place of its file; what it reads there is not code",
    "input": "reads what it is given on its standard input",
    "__import__": "imports a module whose name is known only when it runs",
    "compile": "compiles text to code",
    "eval": "evaluates text as code",
    "exec": "runs text as code",
    "__file__": "goes by the place of its file; what it reads there is not code",
    "globals": "looks names up in globals()",
    "locals": "looks names up in locals()",
    "vars": "looks names up in vars()",
}
_PLACE = "goes by the place of a file"
_FOLDER = "goes by the folder that it is run in"
_CLOCK = "goes by the clock: equal runs may differ"
_CHANCE = "goes by chance: equal runs may differ"
_PROGRAM = "runs another program, whose code is not seen"
_LIBRARY = "loads a compiled library, whose code is not seen"
_NETWORK = "reads from the network, whose answers are not code"
_MACHINE = "goes by the machine or the user that runs it"
_COMMAND = "goes by the command line"
_TEMPLATES = "reads templates, which are not code"
_READS_SOURCE = "reads source as text, of which comments, docstrings and layout do not count"
_PYTHON = {
    "importlib.__import__": "imports a module whose name is known only when it runs",
    "importlib.import_module": "imports a module whose name is known only when it runs",
    "importlib.metadata.entry_points": "takes what installed packages register as plug-ins",
    "importlib.resources": "reads files of a package, which are not code",
    "importlib.util.module_from_spec": "makes a module whose code is known only when it runs",
    "importlib.util.spec_from_file_location": "imports a file whose name is known only when it runs",
    **dict.fromkeys(
        ("ctypes.CDLL", "ctypes.PyDLL", "ctypes.WinDLL", "ctypes.cdll", "ctypes.pydll", "ctypes.windll"), _LIBRARY
    ),
    "ctypes.util.find_library": _LIBRARY,
    "datetime.date.today": _CLOCK,
    **{f"datetime.datetime.{name}": _CLOCK for name in ("now", "today", "utcnow")},
    "getpass.getuser": _MACHINE,
    "http.client": _NETWORK,
    "importlib.machinery.SourceFileLoader": "imports a file whose name is known only when it runs",
    **dict.fromkeys(("inspect.getabsfile", "inspect.getfile", "inspect.getsourcefile"), _PLACE),
    "inspect.getmodule": "takes a module from those that happen to be imported",
    "inspect.getcomments": _READS_SOURCE,
    "inspect.getdoc": _READS_SOURCE,
    "inspect.getsource": _READS_SOURCE,
    "inspect.getsourcelines": _READS_SOURCE,
    "linecache.getline": _READS_SOURCE,
    "linecache.getlines": _READS_SOURCE,
    **dict.fromkeys(("os.getcwd", "os.getcwdb", "pathlib.Path.cwd"), _FOLDER),
    **dict.fromkeys(("os.getlogin", "os.uname", "pathlib.Path.home"), _MACHINE),
    "os.getrandom": _CHANCE,
    "os.urandom": _CHANCE,
    **{f"os.{name}": _PROGRAM for name in ("popen", "posix_spawn", "posix_spawnp", "system")},
    **{f"os.{kind}{way}": _PROGRAM for kind in ("exec", "spawn") for way in ("l", "le", "lp", "v", "ve", "vp", "vpe")},
    "asyncio.create_subprocess_exec": _PROGRAM,
    "asyncio.create_subprocess_shell": _PROGRAM,
    "os.environ": "reads the environment",
    "os.environb": "reads the environment",
    "os.getenv": "reads the environment",
    "os.getenvb": "reads the environment",
    "pkgutil.get_data": "reads files of a package, which are not code",
    "pkgutil.iter_modules": "takes whatever modules it finds",
    "platform.node": _MACHINE,
    "pydoc.locate": "imports a name that is known only when it runs",
    "pydoc.render_doc": _READS_SOURCE,
    "random.SystemRandom": _CHANCE,
    **{f"secrets.{name}": _CHANCE for name in ("choice", "randbelow", "randbits", "token_bytes", "token_hex")},
    "socket.create_connection": _NETWORK,
    "socket.getfqdn": _MACHINE,
    "socket.gethostname": _MACHINE,
    **{
        f"subprocess.{name}": _PROGRAM
        for name in ("Popen", "call", "check_call", "check_output", "getoutput", "getstatusoutput", "run")
    },
    "sys.argv": _COMMAND,
    "sys.orig_argv": _COMMAND,
    "sys.stdin": "reads what it is given on its standard input",
    **{f"time.{name}": _CLOCK for name in ("ctime", "gmtime", "localtime", "strftime", "time", "time_ns")},
    "urllib.request": _NETWORK,
    "uuid.getnode": _MACHINE,
    "uuid.uuid1": _CHANCE,
    "uuid.uuid4": _CHANCE,
    "pkgutil.resolve_name": "imports a name that is known only when it runs",
    "pkgutil.walk_packages": "takes whatever modules it finds",
    "runpy.run_module": "runs a module as a script",
    "runpy.run_path": "runs a file as a script",
    "sys.modules": "takes a module from those that happen to be imported",
}

_PACKAGES = {
    **{f"jinja2.{name}": _TEMPLATES for name in ("FileSystemLoader", "ModuleLoader", "PackageLoader")},
    **{f"jinja2.loaders.{name}": _TEMPLATES for name in ("FileSystemLoader", "ModuleLoader", "PackageLoader")},
    "mako.lookup.TemplateLookup": _TEMPLATES,
    "pkg_resources": "reads what installed packages hold, which is not code",
    **{f"{package}.{verb}": _NETWORK for package in ("httpx", "requests") for verb in ("Session", "get", "post")},
    **{f"httpx.{name}": _NETWORK for name in ("AsyncClient", "Client", "stream")},
    "torch.ops.load_library": _LIBRARY,
    "torch.utils.cpp_extension.load": _LIBRARY,
}
OPEN_ATTRIBUTES = {
    "__cached__": "goes by the place of the file of {}; what it reads there is not code",
    "__doc__": "reads the docstring of {}, which does not count as code",
    "__file__": "goes by the place of the file of {}; what it reads there is not code",
    "__globals__": "looks names up in the globals of {}",
    "__spec__": "goes by the place of the file of {}; what it reads there is not code",
    "__subclasses__": "which classes derive from {} depends on what happens to be imported",
    "co_filename": "goes by the place of the file of {}",
    "co_firstlineno": "goes by the line that it stands on",
    "f_lineno": "goes by the line that it stands on",
    "tb_lineno": "goes by the line that it stands on",
}
"""Attributes of anything that tell what is no code, with what they hide."""


def open_builtin(name: str) -> str | None:
    """What a built-in function hides; None where it hides nothing."""
    return _BUILTINS.get(name)


def open_lookup(dotted: str) -> str | None:
    """What a name of the standard library, with the attributes taken of it, hides; None where it hides nothing."""
    return _looked_up(dotted, _PYTHON)


def open_package(dotted: str) -> str | None:
    """What a name of a third-party package hides; None where it hides nothing that is known."""
    return _looked_up(dotted, _PACKAGES)


def _looked_up(dotted: str, known: Mapping[str, str]) -> str | None:
    parts = dotted.split(".")
    for end in range(1, len(parts) + 1):
        reason = known.get(".".join(parts[:end]))
        if reason is not None:
            return reason
    return None
