"""The end of an RPC whose caller has gone."""

from typing import Any, NoReturn

import grpc.aio
import pytest

from longshore.rpc import errors, interception


class _Context:
    """A context whose connection breaks while the status is sent, or that behaves as gRPC's does."""

    def __init__(self, raised: Exception) -> None:
        self.raised = raised
        self.told = ""

    async def abort(self, _code: Any, details: str, _trailers: Any) -> NoReturn:
        self.told = details
        raise self.raised


async def test_a_refusal_that_reaches_nobody_is_nobodys_fault() -> None:
    context: Any = _Context(grpc.aio.InternalError("execute_batch"))
    await interception._refuse(errors.ClientException("No."), context, "/s/m")
    assert context.told == "No."


async def test_a_refusal_that_is_sent_ends_the_rpc() -> None:
    context: Any = _Context(grpc.aio.AbortError("Locally aborted."))
    with pytest.raises(grpc.aio.AbortError):
        await interception._refuse(errors.ClientException("No."), context, "/s/m")
