"""The public Python library: what programs, and the `longshore` command, do with Longshore.

    from longshore.client import Client

    async with Client() as longshore:
        run = await longshore.run("hello.json", wait=True)
        print(run.exit_code, run.reason)

`blocking` has the same without `await`; `context` names a request. What programs are given is in `results`, `lines`, `logs` and the
messages of `longshore.v1`; what they are refused with in `errors`. `addresses` says where the control plane is, `documents` reads
task-definition files, `waiting` and `following` are for programs that put tasks together from events by themselves.

The names below are here to be imported in one line; each is loaded when it is first asked for, so that who wants one module gets no more.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from longshore.client.client import Client as Client
    from longshore.client.results import NeverRanError as NeverRanError
    from longshore.client.results import NotPlacedError as NotPlacedError
    from longshore.rpc import errors as errors

_HOMES = {
    "Client": "longshore.client.client",
    "NeverRanError": "longshore.client.results",
    "NotPlacedError": "longshore.client.results",
}


def __getattr__(name: str) -> Any:
    """Load what is asked for."""
    if name == "errors":
        return importlib.import_module("longshore.rpc.errors")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
