"""Write longshore.client.blocking anew: the methods of longshore.client.client, each waiting for its asynchronous self."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "protos/longshore/client"
FILE = FOLDER / "blocking.py"
SOURCES = ("connection", "client")
"""The base class and the class, each in the module of its name."""
LINE_LENGTH = 120

STREAMS = {"Watching": "connection.Batch", "reading.Reading": "reading.Output"}
"""Names of what asynchronous generators are annotated with, and what each gives."""

HEAD = '''"""The client without `await`: for programs that have no event loop. Everything is as in `client`, which it runs on a thread of its own.

    with Client() as longshore:
        run = longshore.run("hello.json", wait=True)
        print(run.exit_code, run.reason)

Written by `make blocking` from `client` and `connection`; do not edit. Callbacks (`on_change`, `on_lost`) run on the client's thread.
"""
'''

CLASS = '''
class Client:
    """A client of one Longshore. Use it as a context manager; threads may share it, and each may be interrupted by Ctrl-C."""

    def __init__({signature}) -> None:
        """Prepare; the arguments are those of `client.Client`. Raises addresses.AddressError for what is none."""
        self._portal = portal.Portal()
        self._client = client.Client({arguments})

    def __enter__(self) -> Self:
        """Open the channels. Nothing is sent yet: a component that is away shows at the first call."""
        self._portal.open()
        self._portal.run(self._client.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the channels; calls under way are cancelled."""
        try:
            self._portal.run(self._client.__aexit__(kind, error, trace))
        finally:
            self._portal.close()
'''

STUB = '''
    @property
    def {name}(self) -> {annotation}:
        """Methods of the component, for `call` and `pages`."""
        return self._client.{name}
'''


class _Qualified(ast.NodeTransformer):
    """Names of a module's own, as other modules have to call them."""

    def __init__(self, module: str, own: set[str]) -> None:
        self._module = module
        self._own = own

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Put the module before a name of its own."""
        if node.id not in self._own:
            return node
        return ast.Attribute(ast.Name(self._module, ast.Load()), node.id, ast.Load())


def rendered() -> str:
    """The module as it should be, formatted."""
    modules = {name: ast.parse((FOLDER / f"{name}.py").read_text()) for name in SOURCES}
    base = _class(modules["connection"])
    imports = [
        ast.unparse(node)
        for module in modules.values()
        for node in module.body
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    own = "from longshore.client import client, connection, portal\nfrom collections.abc import Generator"
    (begin,) = (node for node in base.body if isinstance(node, ast.FunctionDef) and node.name == "__init__")
    _Qualified("connection", _names(modules["connection"])).visit(begin.args)
    parts = [HEAD, *imports, own, CLASS.format(signature=ast.unparse(begin.args), arguments=_passed(begin.args))]
    parts.extend(
        STUB.format(name=node.target.id, annotation=ast.unparse(node.annotation))
        for node in base.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    )
    for name, module in modules.items():
        qualify = _Qualified(name, _names(module))
        parts.extend(_method(node, qualify) for node in _public(_class(module)))
    return _formatted("\n".join(parts))


def _class(module: ast.Module) -> ast.ClassDef:
    (only,) = (node for node in module.body if isinstance(node, ast.ClassDef) and node.name in {"Connection", "Client"})
    return only


def _names(module: ast.Module) -> set[str]:
    """What a module defines."""
    found = {node.name for node in module.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    for node in module.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def _public(made: ast.ClassDef) -> Iterator[ast.AsyncFunctionDef]:
    return (node for node in made.body if isinstance(node, ast.AsyncFunctionDef) and not node.name.startswith("_"))


def _method(node: ast.AsyncFunctionDef, qualify: _Qualified) -> str:
    """A method that waits for its asynchronous self, or goes through what that gives."""
    annotation = node.returns or ast.Constant(None)
    gives = _given(annotation)
    returns = gives or ast.unparse(qualify.visit(annotation))
    qualify.visit(node.args)
    head = f"def {node.name}({ast.unparse(node.args)}) -> {f'Generator[{gives}, None, None]' if gives else returns}:"
    asked = f"self._client.{node.name}({_passed(node.args)})"
    body = f"return self._portal.{'iterate' if gives else 'run'}({asked})"
    # As it stands in the source: unparsed, its line breaks would be escaped.
    told = (ast.get_docstring(node) or "").replace("\\", "\\\\").splitlines()
    lines = [head, f'    """{told[0]}', *(f"    {line}" if line else "" for line in told[1:])]
    lines[-1] += '"""' if len(told) == 1 else '\n    """'
    return "\n" + "\n".join(
        f"    {line}" if line.strip() else "" for line in "\n".join([*lines, f"    {body}"]).splitlines()
    )


def _given(annotation: ast.expr) -> str:
    """What an asynchronous generator gives one after the other; empty for what is none."""
    text = ast.unparse(annotation)
    if text in STREAMS:
        return STREAMS[text]
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "AsyncGenerator":
        item = ast.unparse(annotation.slice).strip("()").removesuffix(", None")
        return f"connection.{item}" if item in {"R", "Batch"} else item
    return ""


def _passed(arguments: ast.arguments) -> str:
    """The arguments handed on: each as it came."""
    plain = [one.arg for one in arguments.args if one.arg != "self"]
    return ", ".join([*plain, *(f"{one.arg}={one.arg}" for one in arguments.kwonlyargs)])


def _formatted(text: str) -> str:
    """Without the imports that nobody uses, and as `make fmt` leaves it."""
    ruff = [str(Path(sys.executable).parent / "ruff")]
    at = ["--stdin-filename", str(FILE), "-"]
    fixed = subprocess.run(
        [*ruff, "check", "--fix-only", "--quiet", "--select", "F401,I", *at],
        input=text,
        capture_output=True,
        text=True,
        check=True,
    )
    done = subprocess.run(
        [*ruff, "format", "--quiet", *at], input=fixed.stdout, capture_output=True, text=True, check=True
    )
    return done.stdout


def main(arguments: Sequence[str]) -> int:
    """Write the module, or say that it is stale."""
    made = rendered()
    if list(arguments) == ["check"]:
        stale = not FILE.exists() or FILE.read_text() != made
        if stale:
            print("blocking: protos/longshore/client/blocking.py is stale; run 'make blocking' and commit the result")
        return int(stale)
    FILE.write_text(made)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
