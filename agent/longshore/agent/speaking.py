"""Being a container instance: registering, holding sessions, and beginning anew where the instance was deregistered."""

from collections.abc import Awaitable, Callable
from typing import NoReturn

import structlog

from longshore.agent import engine, registration, session, stored
from longshore.rpc import backoff

_log = structlog.get_logger(__name__)

_SAVE_FIRST_PAUSE_S = 0.2
_SAVE_LONGEST_PAUSE_S = 10.0

Register = Callable[[stored.Identity | None], Awaitable[stored.Identity]]
"""Becomes an instance, again where there is an identity."""


async def speak(
    host: engine.TaskEngine,
    store: stored.Store,
    register: Register,
    sessions: session.Sessions,
    identity: stored.Identity | None,
    given: stored.Identity | None,
    tell: Callable[[stored.Identity | None], None],
) -> NoReturn:
    """Be a container instance: register, hold sessions; where the instance was deregistered, clear the host and begin anew.

    `given` is one to take over; where it is not there, becoming another one would not be what was asked for. `tell` is told who we are,
    and None when we are nobody any more.
    """
    written = identity
    while True:
        try:
            identity = await register(identity or given)
            given = None
            if identity != written:
                await _save_identity(store, identity)
                written = identity
            tell(identity)
            _log.info("registered", instance_id=identity.instance_id, cluster=identity.cluster)
            await sessions.keep(identity)
        except registration.Deregistered as error:
            if given is not None:
                raise registration.Refused(
                    f"the container instance {given.instance_arn} cannot be taken over: {error}"
                ) from error
            _log.warning("deregistered", error=str(error))
            tell(None)
            host.disown()
            await host.drained()
            identity = None


async def _save_identity(store: stored.Store, identity: stored.Identity) -> None:
    """Write down who we are, however long the disk is full: nothing may be run under an identity that a restart would forget."""
    pauses = backoff.Backoff(first=_SAVE_FIRST_PAUSE_S, cap=_SAVE_LONGEST_PAUSE_S)
    while True:
        try:
            await store.save_identity(identity)
        except stored.StateFileError as error:
            _log.error("identity_not_saved", instance_id=identity.instance_id, error_reason=str(error))
            await pauses.sleep()
        else:
            return
