"""Short ways to make plans, states and events."""

from longshore.agent import states, task_commands, task_events, task_machine, task_state

NOW = 1_000_000_000_000_000


def plan(
    name: str = "app",
    *,
    essential: bool = True,
    waits_for: str = "",
    on: str = "START",
    pulls_upfront: bool = True,
    hidden: bool = False,
) -> task_state.ContainerPlan:
    """Plan of a container, which waits for another one or not."""
    waits = (task_state.Dependency(waits_for, task_state.Condition(on)),) if waits_for else ()
    return task_state.ContainerPlan(name, f"{name}:1", essential, 30, waits, pulls_upfront=pulls_upfront, hidden=hidden)


class Life:
    """A task and what was asked for, event by event."""

    def __init__(self, *plans: task_state.ContainerPlan) -> None:
        self.state = task_state.assigned("f" * 32, plans or (plan(),))
        self.asked: list[task_commands.Command] = []
        self.now = NOW

    def see(self, *events: task_events.Event) -> tuple[task_commands.Command, ...]:
        """Apply events; return the commands of the last."""
        commands: tuple[task_commands.Command, ...] = ()
        for event in events:
            self.now += 1
            self.state, commands = task_machine.step(self.state, event, self.now)
            self.asked.extend(commands)
        return commands

    def run(self, name: str = "app") -> None:
        """Bring a container from its pull to running."""
        self.see(
            task_events.ImageReady(name, "sha256:1", pulled=False),
            task_events.ContainerCreated(name, f"id-{name}"),
            task_events.ContainerStarted(name, f"id-{name}"),
        )

    def phase(self, name: str = "app") -> states.ContainerPhase:
        """Phase of a container."""
        return self.state.container(name).phase
