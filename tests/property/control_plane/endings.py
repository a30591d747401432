"""Nothing goes wrong any more: everybody does what there is to do, until nothing is under way, and then until nothing is left."""

from collections.abc import Callable

from longshore.scheduler import standing
from tests.property.control_plane import hosts, properties, transactions, worlds

_ROUNDS = 400
"""More than any end takes."""


def settle(world: worlds.World) -> None:
    """Let it come to rest, then stop everything, and look both times. Raises Violation."""
    _heal(world, lambda: not _idle(world))
    properties.when_quiet(world)
    _heal(world, lambda: _wind_down(world))
    properties.at_the_end(world)


def _heal(world: worlds.World, going_on: Callable[[], bool]) -> None:
    for _ in range(_ROUNDS):
        if not _round(world) and not going_on():
            return
    # What has not come to its end by now never will: the caller says what is missing.


def _round(world: worlds.World) -> bool:
    """Everybody does what there is to do, in turn; whether an agent was without session."""
    world.finish_all()
    if not any(scheduler.standing is not standing.Standing.OVER for scheduler in world.schedulers):
        world.database.clock += transactions.LEASE_TICKS
    for scheduler in world.schedulers:
        scheduler.renew()
        world.finish_all()
        scheduler.run_for_leader()
        world.finish_all()
        scheduler.load()
        world.finish_all()
        scheduler.hear_log()
        scheduler.settle()
        world.finish_all()
    for agent in world.agents:
        _serve(world, agent)
    properties.at_every_moment(world)
    return any(agent.line is None for agent in world.agents)


def _serve(world: worlds.World, agent: hosts.Agent) -> None:
    holding = world.holding(agent)
    if not holding:
        world.trackers[0].take(agent)
        world.finish_all()
        holding = world.trackers[:1]
    holding[0].hear_log()
    world.exchange(agent, holding[0], lambda _: 0)


def _idle(world: worlds.World) -> bool:
    """Whether every agent has what the tables say, and they have what it says."""
    rows = world.database.rows
    return not world.database.open and all(
        agent.line is not None
        and agent.revision == rows.get(("assignment", agent.instance), 0)
        and not agent.line.up
        and not agent.line.down
        for agent in world.agents
    )


def _wind_down(world: worlds.World) -> bool:
    """Stop what is still wanted; whether anything is not released."""
    left = [task for agent in world.agents for task in transactions.unreleased(world.database.rows, agent.instance)]
    for scheduler in world.schedulers:
        for task in left:
            if world.database.rows["intent", task].wanted:
                scheduler.stop(task, lambda: None)
                world.finish_all()
    return bool(left) or any(agent.running for agent in world.agents)
