"""Admits agents: checks who they are and opens their sessions, all that wait in one transaction per cluster."""

import asyncio
import functools
import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from longshore.events.bus import Bus
from longshore.rpc import errors, loops
from longshore.state_tracker import committed, gathering, instance_rows, liveness, metrics, presence
from longshore.storage import errors as storage_errors
from longshore.storage.database import Database
from longshore.v1 import agent_service_pb2

# Sessions opened in one transaction: it holds the cluster's membership, which placement wants too.
MAX_OPENINGS = 200
# Rounds for an instance that is disconnected again and again between the look and the lock.
MAX_ROUNDS = 3

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Admitted:
    """An agent whose session is open, the cluster of its instance, and the terms it was given."""

    cluster: str
    opened: presence.Opened
    terms: liveness.Terms


@dataclass(slots=True)
class _Hello:
    hello: agent_service_pb2.Hello
    answer: "asyncio.Future[Admitted]"

    def refuse(self, error: errors.ServiceError) -> None:
        """Tell the agent why not, unless it has left."""
        if not self.answer.done():
            self.answer.set_exception(error)


class Openings:
    """The door. All hellos go through it.

    A lease begins with the commit, also where the agent has left meanwhile: whoever is shown as connected has one somewhere.
    `doubt` is called when a commit's outcome is unknown, and sees to those.
    """

    def __init__(
        self,
        database: Database,
        bus: Bus,
        supervisor: loops.Supervisor,
        measured: metrics.Metrics,
        *,
        leases: liveness.Leases,
        base: liveness.Terms,
        doubt: Callable[[], None],
        tracker_id: str,
    ) -> None:
        self._database = database
        self._bus = bus
        self._metrics = measured
        self._leases = leases
        self._base = base
        self._doubt = doubt
        self._tracker_id = tracker_id
        self._gatherer: gathering.Gatherer[None, _Hello] = gathering.Gatherer(
            "openings", self._flush, supervisor=supervisor, limit=MAX_OPENINGS
        )

    async def open(self, hello: agent_service_pb2.Hello) -> Admitted:
        """Open a session. Raises Unauthenticated, ResourceNotFoundException, Aborted or Unavailable."""
        waiting = _Hello(hello, asyncio.get_running_loop().create_future())
        self._gatherer.put(None, waiting)
        return await waiting.answer

    async def _flush(self, _: None, batch: list[_Hello]) -> None:
        self._metrics.opening_batch.observe(len(batch))
        try:
            ids = list({waiting.hello.container_instance_id for waiting in batch})
            found = await self._database.read(lambda dialect: instance_rows.by_ids(dialect, ids))
            for cluster, hellos in self._checked(batch, found).items():
                await self._open(cluster, hellos)
        except storage_errors.Unavailable as error:
            if isinstance(error, storage_errors.CommitUnknown):
                self._doubt()
            for waiting in batch:
                waiting.refuse(error)
        except Exception:  # noqa: BLE001 - the boundary of the worker
            _log.exception("openings_failed", hellos=len(batch))
            for waiting in batch:
                waiting.refuse(errors.Unavailable("The session could not be opened; try again."))
        self._metrics.sessions_refused += sum(_refused(waiting) for waiting in batch)

    def _checked(self, batch: list[_Hello], found: dict[str, instance_rows.Instance]) -> dict[str, dict[str, _Hello]]:
        """By cluster and instance the hellos that may come in; of two for one instance, the later."""
        clusters: dict[str, dict[str, _Hello]] = {}
        for waiting in batch:
            hello = waiting.hello
            instance = found.get(hello.container_instance_id)
            if instance is None or not instance.active:
                waiting.refuse(not_found(hello.container_instance_id))
            elif not credential_matches(hello.instance_credential, instance.credential_hash):
                waiting.refuse(
                    errors.Unauthenticated(
                        f"The credential is not that of container instance {hello.container_instance_id}."
                    )
                )
            else:
                mine = clusters.setdefault(instance.stored.cluster, {})
                earlier = mine.pop(hello.container_instance_id, None)
                if earlier is not None:
                    earlier.refuse(superseded(hello.container_instance_id, hello.agent_process_id))
                mine[hello.container_instance_id] = waiting
        return clusters

    async def _open(self, cluster: str, hellos: dict[str, _Hello]) -> None:
        for _ in range(MAX_ROUNDS):
            wanted = [presence.Wanted(key, waiting.hello.agent_process_id) for key, waiting in sorted(hellos.items())]
            work = functools.partial(
                presence.open_sessions, cluster=cluster, wanted=wanted, tracker_id=self._tracker_id
            )
            done = await self._database.run(work)
            for instance_id, waiting in hellos.items():
                if instance_id in done.opened:
                    self._admit(cluster, waiting, done.opened[instance_id])
                elif instance_id not in done.again:
                    waiting.refuse(not_found(instance_id))
            self._metrics.sessions_opened += len(done.opened)
            await committed.publish(self._bus, done.committed)
            hellos = {key: hellos[key] for key in done.again}
            if not hellos:
                return
        for waiting in hellos.values():
            waiting.refuse(errors.Unavailable("The container instance is being disconnected; try again."))

    def _admit(self, cluster: str, waiting: _Hello, opened: presence.Opened) -> None:
        terms = liveness.terms(self._base, len(self._leases))
        self._leases.open(
            waiting.hello.container_instance_id,
            cluster=cluster,
            epoch=opened.epoch,
            lease_s=terms.lease_s,
            now=time.monotonic(),
        )
        if not waiting.answer.done():
            waiting.answer.set_result(Admitted(cluster, opened, terms))


def hashed(credential: str) -> bytes:
    """What is stored of a credential. It is 256 random bits, so a plain hash cannot be searched for it."""
    return hashlib.sha256(credential.encode()).digest()


def credential_matches(credential: str, stored: bytes) -> bool:
    """Whether it is the credential of the stored hash, in a time that does not tell how nearly."""
    return hmac.compare_digest(hashed(credential), stored)


def not_found(instance_id: str) -> errors.ServiceError:
    """What an agent is told whose instance is gone: it registers anew."""
    return errors.ResourceNotFoundException(f"There is no container instance {instance_id}, or it was deregistered.")


def superseded(instance_id: str, process_id: str) -> errors.ServiceError:
    """What the older of two agents with one identity is told."""
    return errors.Aborted(
        f"Agent process {process_id} speaks for container instance {instance_id} now.", holder=process_id
    )


def _refused(waiting: _Hello) -> bool:
    answer = waiting.answer
    return answer.done() and not answer.cancelled() and answer.exception() is not None
