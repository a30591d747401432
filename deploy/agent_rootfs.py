"""Assemble the file system of the agent's image: `agent_rootfs.py DIST ROOT`, run by the interpreter that goes into it.

DIST holds the wheels of the agent and of what it depends on (scripts/wheels). ROOT gets those of their files that are needed at run time, this
interpreter, the part of its standard library that they import, and the libraries that all of that loads: no distribution, and no shell.
Everything is compiled, and binaries lose what the loader does not read. docs/design/agent-package.md says why it is made this way.
"""

import ast
import py_compile
import re
import shutil
import struct
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

OURS = frozenset({"agent", "rpc", "v1"})
"""Packages of the namespace `longshore` that an agent is made of."""

APPLICATION = Path("/opt/longshore")

_STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib"))

_LEFT_OUT = frozenset(
    [
        "antigravity",
        "curses",
        "dbm",
        "distutils",
        "doctest",
        "ensurepip",
        "idlelib",
        "lib2to3",
        "msilib",
        "nturl2path",
        "pdb",
        "pip",
        "pkg_resources",
        "pydoc",
        "pydoc_data",
        "readline",
        "rlcompleter",
        "setuptools",
        "sitecustomize",
        "tcl",
        "test",
        "this",
        "tkinter",
        "turtle",
        "turtledemo",
        "unittest",
        "usercustomize",
        "venv",
        "wsgiref",
        "xmlrpc",
        "zipapp",
    ]
)
"""What is imported for tests, for documentation or by hand, and never by a running agent."""

_WHOLE_PACKAGES = (
    "asyncio",
    "collections",
    "concurrent",
    "email",
    "http",
    "importlib",
    "json",
    "logging",
    "re",
    "sqlite3",
    "urllib",
)
"""Packages whose parts are also imported by name at run time."""

_ENCODINGS = [
    "aliases",
    "ascii",
    "base64_codec",
    "charmap",
    "cp1252",
    "cp437",
    "hex_codec",
    "idna",
    "iso8859_1",
    "iso8859_15",
    "latin_1",
    "punycode",
    "raw_unicode_escape",
    "undefined",
    "unicode_escape",
    "utf_16",
    "utf_16_be",
    "utf_16_le",
    "utf_32",
    "utf_32_be",
    "utf_32_le",
    "utf_7",
    "utf_8",
    "utf_8_sig",
]

_BY_THE_INTERPRETER = [
    "_collections_abc",
    "_compat_pickle",
    "_sitebuiltins",
    "_strptime",
    "abc",
    "codecs",
    "contextlib",
    "copyreg",
    "genericpath",
    "io",
    "linecache",
    "locale",
    "os",
    "posixpath",
    "runpy",
    "site",
    "stat",
    "threading",
    "tokenize",
    "traceback",
    "warnings",
    "weakref",
    "zipimport",
]
"""What the interpreter itself imports, from C."""

_NOT_AT_RUN_TIME = re.compile(
    r"""
    (^|/)(tests?|testing|__pycache__|bin)/
    | (^|/)_testcapi
    | \.(pyi|pyx|pxd|pxi|c|h|hash|proto|typed)$
    | \.dist-info/(?!METADATA$|licenses/)
    | ^aiohttp/(pytest_plugin|test_utils|worker)\.py$
    | ^google/protobuf/internal/(\w+_benchmark|testing_refleaks)\.py$
    | ^structlog/(_greenlets|twisted)\.py$
    """,
    re.VERBOSE,
)
_NAMES = re.compile(rb"(?<=\x00)[A-Za-z_][A-Za-z0-9_.]{1,60}(?=\x00)")

_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}
_FOLDERS = ("dev", "etc/longshore", "proc", "root", "run", "sys", "tmp", "var/lib/longshore", "var/log/longshore")


def main() -> None:
    """Fill ROOT."""
    dist, root = Path(sys.argv[1]), Path(sys.argv[2])
    site = Path(tempfile.mkdtemp())
    for wheel in wheels(dist):
        with zipfile.ZipFile(wheel) as packed:
            packed.extractall(site)
    application = sorted(path for path in _files(site) if _wanted(path.relative_to(site)))
    library = standard_library(site, application)
    for source in application:
        _place(source, root, APPLICATION / source.relative_to(site))
    for source in sorted(library):
        _place(source, root, source)
    interpreter = Path(sys.executable).resolve()
    _place(interpreter, root, interpreter)
    for name in ("python", "python3"):
        link = root / "usr/local/bin" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(interpreter)
    binaries = [interpreter, *(path for path in (*application, *library) if path.suffix == ".so")]
    for source in sorted(libraries(binaries)):
        _place(source.resolve(), root, source.parent.resolve() / source.name)
    for name in ("lib", "lib64"):
        if Path("/", name).is_symlink():
            (root / name).symlink_to(Path("/", name).readlink())
    for name in _FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    for name, text in _FILES.items():
        (root / name).write_text(text)


def wheels(dist: Path) -> Iterator[Path]:
    """The wheels that an agent is made of: ours, and those of its pins, none of which has anything to be run at its installation."""
    pins = (dist / "wheels/agent.txt").read_text().split()
    for folder, pattern in (
        (dist, "longshore-*.whl"),
        *((dist / "wheels", f"{pin.replace('-', '_').replace('==', '-')}-*.whl") for pin in pins),
    ):
        (found,) = folder.glob(pattern)
        yield found


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _wanted(path: Path) -> bool:
    """Whether a file of the installed wheels is needed at run time."""
    if path.parts[0] == "longshore" and path.parts[1] not in OURS:
        return False
    return not _NOT_AT_RUN_TIME.search(path.as_posix())


# ---------------------------------------------------------------- the standard library


def standard_library(site: Path, application: Iterable[Path]) -> set[Path]:
    """Files of the standard library that the application imports: anywhere in its code, also inside functions, and from C."""
    waiting = {*_BY_THE_INTERPRETER, *(f"encodings.{name}" for name in _ENCODINGS)}
    for package in _WHOLE_PACKAGES:
        waiting |= {_module(path, _STANDARD_LIBRARY) for path in (_STANDARD_LIBRARY / package).rglob("*.py")}
    for path in application:
        waiting |= _imports(path, site)
    found: set[Path] = set()
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen or name.partition(".")[0] in _LEFT_OUT:
            continue
        seen.add(name)
        waiting.add(name.rpartition(".")[0] or name)
        path = _standard_file(name)
        if path is not None and path not in found:
            found.add(path)
            waiting |= _imports(path, path.parent if path.suffix == ".so" else _STANDARD_LIBRARY)
    return found


def _standard_file(name: str) -> Path | None:
    """The file of a module of the standard library; None for what is built in, or is none of its modules."""
    base = _STANDARD_LIBRARY / name.replace(".", "/")
    for path in (base / "__init__.py", base.with_name(f"{base.name}.py")):
        if path.is_file():
            return path
    return next((_STANDARD_LIBRARY / "lib-dynload").glob(f"{name}.*.so"), None)


def _imports(path: Path, base: Path) -> set[str]:
    """Everything that a file imports, by whole names; of `from a import b` both a and a.b, for b may be a module."""
    if path.suffix == ".so":
        return _named_in(path)
    if path.suffix != ".py":
        return set()
    package = _module(path, base).split(".")
    if path.name != "__init__.py":
        package.pop()
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            found |= {origin, *(f"{origin}.{alias.name}" for alias in node.names)}
    return found


def _module(path: Path, base: Path) -> str:
    return ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__")


def _named_in(binary: Path) -> set[str]:
    """Modules of the standard library whose names are among the texts of a binary, as those that it imports are."""
    texts = {name.decode() for name in _NAMES.findall(binary.read_bytes())}
    return {name for name in texts if name.partition(".")[0] in sys.stdlib_module_names}


# ---------------------------------------------------------------- binaries


def libraries(binaries: Iterable[Path]) -> set[Path]:
    """The shared libraries that binaries load, the loader among them."""
    found: set[Path] = set()
    for binary in binaries:
        told = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=True, timeout=60).stdout
        if "not found" in told:
            raise SystemExit(f"{binary} needs libraries that are not here:\n{told}")
        found |= {Path(path) for path in re.findall(r"(?:=> |^\s+)(/\S+) \(0x", told, re.MULTILINE)}
    return found


def loaded(binary: bytes) -> bytes:
    """A binary without what follows its last segment: symbols for debuggers and the table of sections, which no loader reads."""
    if binary[:6] != b"\x7fELF\x02\x01":  # 64 bits, little-endian
        return binary
    offset, _, _, _, size, count = struct.unpack_from("<QQIHHH", binary, 32)
    end = offset + size * count
    for number in range(count):
        start, length = (struct.unpack_from("<Q", binary, offset + number * size + at)[0] for at in (8, 32))
        end = max(end, start + length)
    bare = bytearray(binary[:end])
    struct.pack_into("<Q", bare, 40, 0)  # where the table of sections was
    struct.pack_into("<HH", bare, 60, 0, 0)  # how many there were, and the one with their names
    return bytes(bare)


def _place(source: Path, root: Path, path: Path) -> None:
    """Put a file where it belongs, compiled or bare."""
    target = root / path.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix == ".py":
        py_compile.compile(
            str(source),
            cfile=str(target.with_suffix(".pyc")),
            dfile=str(path),
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
        return
    content = source.read_bytes()
    target.write_bytes(loaded(content))
    shutil.copymode(source, target)


if __name__ == "__main__":
    main()
