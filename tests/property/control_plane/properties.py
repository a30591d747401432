"""What must hold: at every moment, when nothing is under way, and at the end. Each breach is a Violation."""

from tests.property.control_plane import hosts, schedulers, transactions, worlds
from tests.property.control_plane.tables import Violation


def at_every_moment(world: worlds.World) -> None:
    """What holds at every moment."""
    rows = world.database.rows
    tokens: dict[str, str] = {}
    for key, row in rows.items():
        if key[0] != "intent":
            continue
        if tokens.setdefault(row.token, row.task) != row.task:
            raise Violation(f"{row.token} has placed {tokens[row.token]} and {row.task}")
    for agent in world.agents:
        taken = transactions.unreleased(rows, agent.instance)
        if len(taken) > schedulers.ROOM:
            raise Violation(f"{agent.instance} is over-committed: {taken}")
        if agent.running > schedulers.ROOM:
            raise Violation(f"{agent.instance} runs {agent.running} tasks")
        for task, times in agent.starts.items():
            intent = rows.get(("intent", task))
            if intent is None or intent.instance != agent.instance:
                raise Violation(f"{agent.instance} has started {task}, which is placed on {intent}")
            if times > 1:
                raise Violation(f"{task} was started {times} times")
    for request in world.requests:
        if any(("intent", task) not in rows for task in request.answers):
            raise Violation(f"{request.answers} were answered and are lost")


def when_quiet(world: worlds.World) -> None:
    """Every answered task has come to run or was stopped, hosts know of what takes their room, and no answered stop is lost."""
    _answered_tasks_started(world)
    _hosts_know_what_they_hold(world)
    rows = world.database.rows
    for task in world.stopped:
        if rows["intent", task].wanted:
            raise Violation(f"the stop of {task} was answered and is lost")


def _answered_tasks_started(world: worlds.World) -> None:
    rows = world.database.rows
    for request in world.requests:
        for task in request.answers:
            seen = transactions.observed(rows, task)
            intent = rows["intent", task]
            started = any(agent.starts.get(task) for agent in world.agents)
            if not started and intent.wanted and (seen is None or seen.last_status < transactions.STOPPED):
                raise Violation(f"{task} was answered and never started")


def _hosts_know_what_they_hold(world: worlds.World) -> None:
    rows = world.database.rows
    for agent in world.agents:
        taken = set(transactions.unreleased(rows, agent.instance))
        if unknown := taken - agent.known.keys():
            raise Violation(f"{sorted(unknown)} take room on {agent.instance}, which knows nothing of them")
        for task, known in agent.known.items():
            seen = transactions.observed(rows, task)
            if known.status == hosts.RUNNING and seen is not None and seen.last_status == transactions.STOPPED:
                raise Violation(f"{agent.instance} runs on {task}, which was given up")


def at_the_end(world: worlds.World) -> None:
    """All was stopped: nothing takes any room, and nothing runs."""
    rows = world.database.rows
    for agent in world.agents:
        if left := transactions.unreleased(rows, agent.instance):
            raise Violation(f"{left} are never released")
        if agent.running:
            raise Violation(f"{agent.instance} runs on what is to be stopped: {agent.known}")
