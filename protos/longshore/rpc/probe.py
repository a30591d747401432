"""`python -m longshore.rpc.probe HOST:PORT`: ask a gRPC server for its health; with a URL, `http://HOST:PORT`, a gateway.

Prints the status on one line. Exit code 0: SERVING; 1: anything else, also when it cannot be reached in time; 2: wrong usage.
TLS is used where LONGSHORE_TLS_CA_FILE and the like are set.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from grpc_health.v1 import health_pb2, health_pb2_grpc

from longshore.rpc import channels, errors, http_probe, tls

TIMEOUT_S = 3.0
"""A health check of compose or systemd gives up after a few seconds itself."""


async def check(
    address: str, *, service: str = "", timeout_s: float = TIMEOUT_S, files: tls.Files | None = None
) -> str:
    """The name of the health status, or `UNREACHABLE: why`."""
    try:
        async with asyncio.timeout(timeout_s), channels.connect(address, files=files) as channel:
            request = health_pb2.HealthCheckRequest(service=service)
            # Typing does not know the methods of this stub.
            stub = health_pb2_grpc.HealthStub(channel)
            answer = await stub.Check(request, timeout=timeout_s)  # type: ignore[attr-defined]
    except errors.ResourceNotFoundException:
        return "SERVICE_UNKNOWN"
    except (errors.ServiceError, tls.TlsError) as error:
        return f"UNREACHABLE: {' '.join(str(error).split())}"
    except TimeoutError:
        return f"UNREACHABLE: no answer within {timeout_s:g} s"
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Run the probe; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m longshore.rpc.probe", description="Ask a gRPC server, or a gateway, for its health."
    )
    parser.add_argument("address", metavar="HOST:PORT or URL")
    parser.add_argument("--service", default="", help="full name of one service; the whole server where left out")
    parser.add_argument("--timeout", type=float, default=TIMEOUT_S, metavar="SECONDS")
    options = parser.parse_args(argv)
    variables = os.environ if environ is None else environ
    found = (variables.get(f"LONGSHORE_TLS_{kind}_FILE") for kind in ("CERT", "KEY", "CA"))
    files = tls.Files(*(Path(path) if path else None for path in found))
    if options.address.startswith(("http://", "https://")):
        outcome = http_probe.check(options.address, timeout_s=options.timeout, files=files)
    else:
        try:
            channels.split(options.address)
        except ValueError as error:
            parser.error(str(error))
        outcome = asyncio.run(check(options.address, service=options.service, timeout_s=options.timeout, files=files))
    sys.stdout.write(f"{options.address} {outcome}\n")
    return 0 if outcome == "SERVING" else 1


if __name__ == "__main__":
    sys.exit(main())
