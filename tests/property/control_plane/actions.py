"""What may happen, one thing at a time, by a draw."""

import random
from collections.abc import Callable
from typing import TypeVar

from tests.property.control_plane import endings, properties, schedulers, tables, transactions, worlds
from tests.property.control_plane.rules import Rules
from tests.property.control_plane.worlds import Draw

T = TypeVar("T")

_MINGLED = 25
"""Statements: two transactions, more or less."""


def tick(world: worlds.World, _: Draw) -> None:
    """Time passes, by the database's clock."""
    world.database.clock += 1


def pause(world: worlds.World, _: Draw) -> None:
    """Longer than a lease."""
    world.database.clock += transactions.LEASE_TICKS


def statement(world: worlds.World, draw: Draw) -> None:
    """Some transaction goes on."""
    if world.database.open:
        world.database.step(_one(world.database.open, draw))


def finish(world: worlds.World, draw: Draw) -> None:
    """Some transaction goes on as far as it can."""
    if world.database.open:
        world.finish(_one(world.database.open, draw))


def lose_connection(world: worlds.World, draw: Draw) -> None:
    """Whoever began a transaction hears of it no more: before its commit, or as that is under way."""
    if not world.database.open:
        return
    transaction = _one(world.database.open, draw)
    while draw(8) and not transaction.over and transaction.state is not tables.State.DONE:
        if not world.database.step(transaction):
            break
    if not transaction.over:
        world.database.leave(transaction)


def lead(world: worlds.World, draw: Draw) -> None:
    """A scheduler sees to its leadership, and often gets what it wants."""
    scheduler = _one(world.schedulers, draw)
    for act in (scheduler.run_for_leader, scheduler.load):
        act()
        if scheduler.busy is not None and draw(4):
            world.finish(scheduler.busy)


def renew(world: worlds.World, draw: Draw) -> None:
    """A leader renews its lease."""
    _one(world.schedulers, draw).renew()


def hear_log(world: worlds.World, draw: Draw) -> None:
    """Somebody takes in the log."""
    _one(world.schedulers, draw).hear_log()
    _one(world.trackers, draw).hear_log()


def ask(world: worlds.World, draw: Draw) -> None:
    """A client asks for a task."""
    able = [scheduler for scheduler in world.schedulers if scheduler.leads]
    if able:
        request = schedulers.Request(f"token-{len(world.requests)}")
        world.requests.append(request)
        scheduler = _one(able, draw)
        scheduler.place(request)
        if scheduler.busy is not None and draw(2):
            world.finish(scheduler.busy)


def ask_again(world: worlds.World, draw: Draw) -> None:
    """It asks again, under the same token, whoever it reaches."""
    if world.requests:
        _one(world.schedulers, draw).place(_one(world.requests, draw))


def stop(world: worlds.World, draw: Draw) -> None:
    """A client wants a task no more."""
    answered = sorted(task for request in world.requests for task in request.answers)
    if answered:
        task = _one(answered, draw)
        able = [scheduler for scheduler in world.schedulers if scheduler.leads]
        _one(able or world.schedulers, draw).stop(task, lambda: world.stopped.add(task))


def settle_one(world: worlds.World, draw: Draw) -> None:
    """A leader gives back what was released."""
    able = [scheduler for scheduler in world.schedulers if scheduler.leads]
    for scheduler in able:
        scheduler.hear_log()
        scheduler.settle()
        if scheduler.busy is not None and draw(4):
            world.finish(scheduler.busy)


def publish(world: worlds.World, draw: Draw) -> None:
    """A publication comes to a tracker: any, at any time, as often as it likes."""
    if world.published:
        _one(world.trackers, draw).offer(_one(world.published, draw))


def publish_newest(world: worlds.World, _: Draw) -> None:
    """The newest publication comes to all."""
    for tracker in world.trackers if world.published else ():
        tracker.offer(world.published[-1])


def serve(world: worlds.World, draw: Draw) -> None:
    """All goes well between an agent and its tracker, for a while."""
    agent = _one(world.agents, draw)
    for tracker in world.holding(agent):
        world.exchange(agent, tracker, draw)


def dial(world: worlds.World, draw: Draw) -> None:
    """An agent without a session dials a tracker."""
    agent = _one(world.agents, draw)
    if agent.line is None:
        _one(world.trackers, draw).take(agent)
        if draw(4):
            world.finish(world.database.open[-1])


def move(world: worlds.World, draw: Draw) -> None:
    """An agent dials another tracker, whatever it had."""
    _one(world.trackers, draw).take(_one(world.agents, draw))


def talk(world: worlds.World, draw: Draw) -> None:
    """Something goes over a line, or comes to its end."""
    agent, tracker = _one(world.agents, draw), _one(world.trackers, draw)
    (
        agent.hear,
        agent.report,
        lambda: tracker.hear(agent.instance),
        lambda: tracker.record(agent.instance),
        lambda: tracker.read(agent.instance),
        lambda: tracker.send(agent.instance),
    )[draw(6)]()


def work(world: worlds.World, draw: Draw) -> None:
    """A task goes on at its host."""
    agent = _one(world.agents, draw)
    if agent.known:
        agent.work(_one(sorted(agent.known), draw))


def break_line(world: worlds.World, draw: Draw) -> None:
    """A stream breaks; the tracker does not notice."""
    _one(world.agents, draw).lose_line()


def restart_agent(world: worlds.World, draw: Draw) -> None:
    """An agent is killed and comes back."""
    _one(world.agents, draw).restart()


def crash_tracker(world: worlds.World, draw: Draw) -> None:
    """A tracker is killed and comes back."""
    _one(world.trackers, draw).crash()


def silence(world: worlds.World, draw: Draw) -> None:
    """A session was not heard for its lease."""
    _one(world.trackers, draw).silent(_one(world.agents, draw).instance)


def orphan(world: worlds.World, draw: Draw) -> None:
    """An instance whose tracker is gone is disconnected by another."""
    agent = _one(world.agents, draw)
    if all(agent.instance not in tracker.held for tracker in world.trackers):
        session = world.database.rows.get(("session", agent.instance))
        if session is not None:
            work = transactions.disconnect(agent.instance, session.epoch)
            world.database.begin(f"disconnects {agent.instance}", work, lambda _: None)


def give_up(world: worlds.World, draw: Draw) -> None:
    """A host is away for too long."""
    agent = _one(world.agents, draw)
    world.database.begin(
        f"gives up {agent.instance}", transactions.give_up(world.rules, agent.instance), lambda _: None
    )


def race(world: worlds.World, draw: Draw) -> None:
    """A placement is under way while an instance is disconnected, or another scheduler takes over: their statements mingle."""
    able = [scheduler for scheduler in world.schedulers if scheduler.leads]
    if not able:
        return
    request = schedulers.Request(f"token-{len(world.requests)}")
    world.requests.append(request)
    _one(able, draw).place(request)
    if draw(2):
        _one(world.trackers, draw).silent(_one(world.agents, draw).instance)
    else:
        world.database.clock += transactions.LEASE_TICKS
        _one(world.schedulers, draw).run_for_leader()
    for _ in range(_MINGLED):
        if world.database.open:
            world.database.step(_one(world.database.open, draw))


def doubt(world: worlds.World, draw: Draw) -> None:
    """A leader does not hear what becomes of its commit, which is under way yet, and reads the tables anew."""
    able = [scheduler for scheduler in world.schedulers if scheduler.leads]
    if not able:
        return
    scheduler = _one(able, draw)
    request = schedulers.Request(f"token-{len(world.requests)}")
    world.requests.append(request)
    scheduler.place(request)
    if (committing := scheduler.busy) is None:
        return
    while committing.state is not tables.State.DONE and world.database.step(committing):
        pass
    world.database.leave(committing)
    scheduler.load()
    if scheduler.busy is not None:
        world.finish(scheduler.busy)


def half_die(world: worlds.World, draw: Draw) -> None:
    """An agent comes to another tracker, and goes on, before the one that it left has taken what it had sent there."""
    agent = _one(world.agents, draw)
    for left in world.holding(agent):
        agent.report()
        _one([tracker for tracker in world.trackers if tracker is not left], draw).take(agent)
        world.finish(world.database.open[-1])
        for task in sorted(agent.known):
            if draw(2):
                agent.work(task)
        for act in (left.hear, left.record):
            act(agent.instance)
        if (held := left.held.get(agent.instance)) is not None and held.recording is not None and draw(4):
            world.finish(held.recording)


def lose_host(world: worlds.World, draw: Draw) -> None:
    """A host is away until it is given up."""
    agent = _one(world.agents, draw)
    for tracker in world.trackers:
        tracker.silent(agent.instance)
    agent.lose_line()
    world.finish_all()
    give_up(world, lambda _: world.agents.index(agent))


_ACTIONS: tuple[tuple[Callable[[worlds.World, Draw], None], int], ...] = (
    (tick, 2),
    (pause, 2),
    (statement, 15),
    (finish, 15),
    (lose_connection, 4),
    (lead, 8),
    (renew, 3),
    (hear_log, 5),
    (ask, 20),
    (ask_again, 4),
    (stop, 3),
    (settle_one, 15),
    (publish, 3),
    (publish_newest, 6),
    (dial, 8),
    (move, 2),
    (talk, 10),
    (serve, 40),
    (work, 6),
    (break_line, 2),
    (restart_agent, 1),
    (crash_tracker, 1),
    (silence, 2),
    (orphan, 1),
    (give_up, 1),
    (lose_host, 2),
    (half_die, 3),
    (race, 6),
    (doubt, 3),
)
"""What may happen, and how often it does: transactions and talk most, so that something comes about between the faults."""


def act(world: worlds.World, draw: Draw) -> None:
    """Do one thing, and look."""
    number = draw(sum(weight for _, weight in _ACTIONS))
    for action, weight in _ACTIONS:
        number -= weight
        if number < 0:
            action(world, draw)
            break
    properties.at_every_moment(world)


def _one(many: "list[T]", draw: Draw) -> T:
    return many[draw(len(many))]


def walked(rules: Rules, seed: int, steps: int) -> worlds.World:
    """One history by chance. Raises Violation."""
    source = random.Random(seed)
    world = worlds.World(rules)
    for _ in range(steps):
        act(world, source.randrange)
    return world


def walk(rules: Rules, seed: int, steps: int) -> str:
    """One history by chance, and its end; what it breaks, empty where nothing."""
    try:
        endings.settle(walked(rules, seed, steps))
    except tables.Violation as found:
        return str(found)
    return ""
