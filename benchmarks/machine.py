"""What of this machine the benchmarks run on."""

import contextlib
from collections.abc import Iterator

from benchmarks import catalogue
from tests.engines import docker, postgres, redis


def engine() -> docker.DockerEngine:
    """This machine's, with busybox in it."""
    found = docker.machine_engine()
    if found is None:
        raise catalogue.MissingError("no Docker Engine answers; `make bench` starts one")
    found.ensure_busybox()
    return found


@contextlib.contextmanager
def servers() -> Iterator[tuple[postgres.PostgresServer, redis.RedisServer]]:
    """PostgreSQL and Redis of our own. fsync is on: durability is part of the price."""
    programs, executable = postgres.installation(), redis.program()
    if programs is None or executable is None:
        raise catalogue.MissingError("neither PostgreSQL nor Redis may be missing; `make bench` installs them")
    with postgres.PostgresServer(programs, fsync=True) as database, redis.RedisServer(executable) as events:
        yield database, events
