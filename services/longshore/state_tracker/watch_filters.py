"""Which events a watcher wants. Pure."""

from dataclasses import dataclass

from longshore.v1 import event_pb2


@dataclass(frozen=True, slots=True)
class Filter:
    """What all must hold; empty means any. Filters on tasks leave out the events of instances, unless instances are named."""

    tasks: frozenset[str] = frozenset()
    instances: frozenset[str] = frozenset()
    family: str = ""
    started_by: str = ""
    group: str = ""

    @property
    def everything(self) -> bool:
        """Whether every event passes, so that batches can be shared as they are."""
        return not (self.tasks or self.instances or self._of_tasks)

    def wants(self, event: event_pb2.Event) -> bool:
        """Whether the event passes."""
        if event.HasField("container_instance"):
            if self.tasks or self._of_tasks:
                return False
            return not self.instances or event.container_instance.container_instance_id in self.instances
        task = event.task
        return (
            (not self.tasks or task.task_id in self.tasks)
            and (not self.instances or task.container_instance_id in self.instances)
            and self.family in {"", task.family}
            and self.started_by in {"", task.started_by}
            and self.group in {"", task.group}
        )

    @property
    def _of_tasks(self) -> bool:
        return bool(self.family or self.started_by or self.group)
