"""From jobs to a batch: decide each on the snapshot, reserve what is to be committed, set aside what needs another look.

CPU work alone; it gives the event loop back every few milliseconds, during which nobody changes the instances (the view's lock).
"""

import asyncio
import random as random_module
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from longshore.metrics import loop_blocks
from longshore.rpc import errors, ids
from longshore.scheduler import answers, asked, instances, jobs, metrics, placement, refusals, snapshot, waiting, work
from longshore.storage import tasks
from longshore.views import task as task_view

TURN_S = loop_blocks.LIMIT_S
"""Time after which others have their turn on the event loop."""

NO_INSTANCES = "No Container Instances were found in your cluster."


@dataclass(slots=True)
class Decided:
    """What one round has decided. `asking` and `hosts` belong to `placements` by their numbers."""

    footing: work.Footing = field(default_factory=lambda: work.Footing(0, {}))
    placements: list[work.Decided] = field(default_factory=list)
    asking: dict[int, jobs.PlacementJob] = field(default_factory=dict)
    hosts: dict[int, dict[str, task_view.Host]] = field(default_factory=dict)
    aside: list[jobs.PlacementJob] = field(default_factory=list)
    """Found no room, but the view may be behind: to be decided again when it has caught up."""


class Decider:
    """Decides on one snapshot."""

    def __init__(
        self,
        base: snapshot.Snapshot,
        *,
        random: random_module.Random,
        new_ids: ids.Sequence,
        now_us: Callable[[], int],
        measured: metrics.Metrics,
        waits: waiting.Waiting,
    ) -> None:
        self._waits = waits
        self._base = base
        self._random = random
        self._ids = new_ids
        self._now_us = now_us
        self._metrics = measured

    async def decide(self, waiting: Iterable[jobs.PlacementJob]) -> Decided:
        """Decide all; what is to be committed is reserved then, what is refused for good has been answered.

        On any failure the view is lost with the leader that holds it, and so is what was reserved for nobody.
        """
        decided = Decided()
        placing = placement.Placement(self._base, self._random)
        clock = asyncio.get_running_loop().time
        turn = clock()
        for job in waiting:
            self._decide_one(placing, job, decided)
            if clock() - turn > TURN_S:
                await asyncio.sleep(0)
                turn = clock()
        decided.footing = self._footing(decided.placements)
        return decided

    def take_back(self, one: work.Decided) -> None:
        """Give back what was reserved for a request that was not committed."""
        load = one.wanted.load()
        placed = [slot for slot in one.slots if slot.instance_id]
        for slot in placed:
            self._base.give_back(slot.instance_id, one.wanted.load(slot.given) if slot.given else load)
        self._waits.gained([slot.instance_id for slot in placed])

    def _decide_one(self, placing: placement.Placement, job: jobs.PlacementJob, decided: Decided) -> None:
        request = job.wanted.request()
        decision = placing.decide(request)
        short = len(decision.instances) < job.size
        if short and not job.caught_up:
            placing.undo(request, decision)
            decided.aside.append(job)
        elif short and job.wanted.asked.wait is not None:
            self._let_wait(placing, job, decision, decided)
        elif decision.instances or job.wanted.asked.settles:
            self._plan(job, decision, decided)
        else:
            self._refuse(job, decision.refused)

    def _let_wait(
        self, placing: placement.Placement, job: jobs.PlacementJob, decision: placement.Decision, decided: Decided
    ) -> None:
        """Place what fits; the rest waits, where there is room in the queue."""
        short = job.size - len(decision.instances)
        request = job.wanted.request()
        try:
            self._waits.check_room(short)
        except errors.ResourceExhausted as full:
            placing.undo(request, decision)
            jobs.fail(job, full)
            return
        self._count(decision.refused)
        reason = self._waits.why(waiting.one_task(job.wanted))
        self._plan(job, placement.Decision(decision.instances, (), decision.given), decided, short, reason)

    def _plan(
        self,
        job: jobs.PlacementJob,
        decision: placement.Decision,
        decided: Decided,
        waiting_tasks: int = 0,
        reason: str = "",
    ) -> None:
        number = len(decided.placements)
        task_ids = self._ids.batch(self._now_us(), len(decision.instances) + waiting_tasks)
        given = (*(decision.given or ((),) * len(decision.instances)), *((),) * waiting_tasks)
        slots = tuple(map(work.Slot, task_ids, (*decision.instances, *("",) * waiting_tasks), given))
        hosts = {
            instance_id: answers.host_of(fact)
            for instance_id in decision.instances
            if (fact := self._base.instance(instance_id)) is not None
        }
        answer = None
        if job.wanted.claim is not None:
            answer = _answer(job.wanted, decision.refused, hosts, reason)
        decided.placements.append(work.Decided(number, job.wanted, slots, decision.refused, answer, reason))
        decided.asking[number] = job
        decided.hosts[number] = hosts
        self._count(decision.refused)

    def _refuse(self, job: jobs.PlacementJob, refused: Sequence[refusals.Refusal]) -> None:
        self._count(refused)
        if job.wanted.asked.operation != asked.START_TASK and not self._base.candidates:
            jobs.fail(job, errors.InvalidParameterException(_no_instances(self._base)))
        else:
            jobs.finish(job, jobs.Placed(refused=tuple(refused)))

    def _footing(self, placements: Iterable[work.Decided]) -> work.Footing:
        concerned = {slot.instance_id for one in placements for slot in one.slots if slot.instance_id}
        return work.Footing(
            self._base.seen,
            {instance_id: self._base.reserved(self._base.rows[instance_id]) for instance_id in concerned},
        )

    def _count(self, refused: Iterable[refusals.Refusal]) -> None:
        for refusal in refused:
            self._metrics.refused[refusal.reason] += 1


def _answer(
    wanted: work.Wanted, refused: Sequence[refusals.Refusal], hosts: dict[str, task_view.Host], reason: str
) -> Callable[[tuple[tasks.Intent, ...], int], bytes]:
    """What a token remembers, once the intents are known."""

    def render(intents: tuple[tasks.Intent, ...], sequence: int) -> bytes:
        return answers.respond(wanted, intents, refused, hosts, sequence, reason).SerializeToString()

    return render


def _no_instances(base: snapshot.Snapshot) -> str:
    draining = base.count_of(instances.DRAINING)
    if not draining:
        return NO_INSTANCES
    return f"{NO_INSTANCES} {draining} {'is' if draining == 1 else 'are'} DRAINING and {'takes' if draining == 1 else 'take'} no new tasks."
