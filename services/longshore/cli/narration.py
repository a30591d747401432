"""The sentences of `longshore run`: what happened to each task, as it happens. Pure: a state in, lines out."""

from collections.abc import Iterable, Iterator

from longshore.cli import arguments, endpoints
from longshore.client import following
from longshore.v1 import common_pb2, container_instance_pb2, event_pb2, task_pb2

WIDTH = 11
"""Room for the word that opens a line, so that the sentences stand in a column."""

UNITS = {"CPU": "CPU units", "MEMORY": "MiB"}


def line(word: str, sentence: str) -> str:
    """One line: the word for what happened, then the sentence."""
    return f"{word:<{WIDTH}}{sentence}"


def placed(task: task_pb2.Task, instance: container_instance_pb2.ContainerInstance | None) -> str:
    """Where a task was placed, and what is left there: it fitted."""
    task_id = task.task_arn.rpartition("/")[2]
    host = task.container_instance_arn.rpartition("/")[2]
    if instance is None:
        return line("Placed", f"{task_id} on {host}")
    left = " and ".join(
        f"{resource.integer_value} {UNITS[resource.name]}"
        for resource in sorted(instance.remaining_resources, key=lambda resource: resource.name)
        if resource.name in UNITS
    )
    name = endpoints.host_name(instance)
    return line("Placed", f"{task_id} on {f'{name} ({host})' if name else host}: it fits, {left} are left there")


def waits(task_id: str, waiting: task_pb2.TaskWaiting) -> str:
    """For what a task waits."""
    place = f"position {waiting.position} of {waiting.queue_length}: " if waiting.position else ""
    return line("Waiting", f"{task_id} for capacity, {place}{waiting.reason}")


def changed(
    task: following.Followed, before: "task_pb2.TaskStatus.ValueType", seconds: float, *, host: str
) -> Iterator[str]:
    """What a change of a task's state reads like; nothing where its status stayed."""
    if task.waiting is not None:
        yield waits(task.task_id, task.waiting)
        return
    placed = before == task_pb2.TASK_STATUS_PROVISIONING and task.last_status == task_pb2.TASK_STATUS_PENDING
    if task.last_status == before or placed:
        return
    after = f"{task.task_id} after {seconds:.2f} s"
    if task.last_status == task_pb2.TASK_STATUS_RUNNING:
        yield line("Running", after)
        yield from ports(task, host=host)
    elif task.stopped:
        yield line("Stopped", f"{after}: {task.stopped_reason}" if task.stopped_reason else after)
        yield from ends(task)
    else:
        yield line(arguments.spelled(task_pb2.TaskStatus, task.last_status).capitalize(), after)


def ports(task: following.Followed, *, host: str) -> Iterator[str]:
    """A line per published port."""
    for name, container in sorted(task.containers.items()):
        for url in endpoints.urls(container.network_bindings, host=host):
            yield line("", f"{name}: {url}")


def pulling(image: str, progress: event_pb2.PullProgress) -> str:
    """How far the pull of an image is."""
    total = progress.total_bytes
    percent = 100 * progress.downloaded_bytes // total if total else 0
    return line("Pulling", f"{image} {percent}% ({_megabytes(progress.downloaded_bytes)} of {_megabytes(total)} MB)")


def quarter(progress: event_pb2.PullProgress) -> int:
    """Which quarter of a pull has been reached: where lines stay, four of them are enough."""
    return 4 * progress.downloaded_bytes // progress.total_bytes if progress.total_bytes else 0


def _megabytes(count: int) -> str:
    return f"{count / 1_000_000:.1f}" if count < 10_000_000 else str(count // 1_000_000)


def ends(task: following.Followed) -> Iterator[str]:
    """How each container ended."""
    for name, container in sorted(task.containers.items()):
        if said := end(container):
            yield line("", f"{name}: {said}")


def end(container: event_pb2.ContainerObservation) -> str:
    """How a container ended; empty where nothing is known of it."""
    code = f"exit code {container.exit_code}" if container.HasField("exit_code") else ""
    return ", ".join(part for part in (code, container.reason) if part)


def refused(failures: Iterable[common_pb2.Failure]) -> Iterator[str]:
    """Why nothing, or not everything, was placed."""
    for failure in failures:
        where = f" on {failure.arn.rpartition('/')[2]}" if failure.arn else ""
        yield line("Refused", f"{failure.reason}{where}" + (f": {failure.detail}" if failure.detail else ""))


def goes_on(task_ids: Iterable[str], cluster: str) -> Iterator[str]:
    """What to say when somebody stops listening: the tasks have not heard of it."""
    where = "" if cluster == arguments.DEFAULT_CLUSTER else f" --cluster {cluster}"
    for task_id in task_ids:
        yield line("Goes on", f"{task_id}; stop it with: longshore stop {task_id}{where}")
