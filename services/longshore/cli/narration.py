"""The sentences of `longshore run`: what happened to each task, as it happens. Pure: a state in, lines out."""

from collections.abc import Iterable, Iterator

from longshore.cli import arguments, endpoints
from longshore.client import following
from longshore.v1 import container_instance_pb2, task_pb2

WIDTH = 11
"""Room for the word that opens a line, so that the sentences stand in a column."""


def line(word: str, sentence: str) -> str:
    """One line: the word for what happened, then the sentence."""
    return f"{word:<{WIDTH}}{sentence}"


def placed(task: task_pb2.Task, instance: container_instance_pb2.ContainerInstance | None) -> str:
    """Where a task was placed, and what it takes of what is there."""
    task_id = task.task_arn.rsplit("/", 1)[-1]
    host = task.container_instance_arn.rsplit("/", 1)[-1]
    if instance is None:
        return line("Placed", f"{task_id} on {host}")
    left = ", ".join(
        f"{resource.integer_value} {unit}"
        for name, unit in (("CPU", "CPU units"), ("MEMORY", "MiB"))
        for resource in instance.remaining_resources
        if resource.name == name
    )
    return line("Placed", f"{task_id} on {_host_name(instance) or host}: it fits, {left} left there")


def _host_name(instance: container_instance_pb2.ContainerInstance) -> str:
    """The host's name beside the instance's id, where its agent gave one."""
    host = instance.container_instance_arn.rsplit("/", 1)[-1]
    name = next((a.value for a in instance.attributes if a.name == "longshore.hostname"), "")
    return f"{name} ({host})" if name else ""


def changed(task: following.Followed, before: "task_pb2.TaskStatus.ValueType", seconds: float) -> Iterator[str]:
    """What a change of a task's state reads like; nothing where its status stayed."""
    if task.last_status == before:
        return
    status = arguments.spelled(task_pb2.TaskStatus, task.last_status)
    after = f"{task.task_id} after {seconds:.2f} s"
    if task.last_status == task_pb2.TASK_STATUS_RUNNING:
        yield line("Running", after)
        yield from ports(task)
    elif task.last_status == task_pb2.TASK_STATUS_STOPPED:
        yield line("Stopped", f"{after}: {task.stopped_reason}" if task.stopped_reason else after)
        yield from ends(task)
    else:
        yield line(status.capitalize(), after)


def ports(task: following.Followed) -> Iterator[str]:
    """A line per published port."""
    for name, container in sorted(task.containers.items()):
        for url in endpoints.urls(container.network_bindings):
            yield line("", f"{name}: {url}")


def ends(task: following.Followed) -> Iterator[str]:
    """How each container ended."""
    for name, container in sorted(task.containers.items()):
        parts = []
        if container.HasField("exit_code"):
            parts.append(f"exit code {container.exit_code}")
        if container.reason:
            parts.append(container.reason)
        if parts:
            yield line("", f"{name}: {', '.join(parts)}")


def refused(failures: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    """Why nothing, or not everything, was placed: arn, reason and detail of each failure."""
    for arn, reason, detail in failures:
        yield line("Refused", f"{reason} on {arn.rsplit('/', 1)[-1]}" + (f": {detail}" if detail else ""))
