"""What was found on the engine, set against what was written down. Pure."""

from collections.abc import Container, Iterable

from longshore.agent import container_names, namespaces, runtime, task_events, task_state


def finding(
    container: str, snapshot: runtime.ContainerSnapshot | None, known: task_state.ContainerState
) -> task_events.Finding:
    """What the engine says of one container of a known task; no snapshot: it has none of that name."""
    if snapshot is None:
        return task_events.Finding(container, task_events.Found.ABSENT)
    reason = ""
    if snapshot.found is task_events.Found.CREATED and snapshot.error:
        reason = runtime.CannotStartContainerError(snapshot.error).reason
    return task_events.Finding(
        container,
        snapshot.found,
        runtime_id=snapshot.runtime_id,
        exit_code=snapshot.exit_code,
        out_of_memory=snapshot.out_of_memory,
        reason=reason,
        image_digest=known.image_digest,
        image_id=snapshot.image_id,
        bindings=known.bindings or snapshot.bindings,
        interface=known.interface or namespaces.interface(snapshot),
        health=snapshot.health if known.health is not task_state.Health.UNSPECIFIED else known.health,
        created_at=snapshot.created_at,
        started_at=snapshot.started_at,
        finished_at=snapshot.finished_at,
    )


def orphans(ours: Iterable[runtime.ContainerSummary], tasks: Container[str]) -> tuple[runtime.ContainerSummary, ...]:
    """Containers that this agent made for tasks it no longer knows of."""
    return tuple(summary for summary in ours if summary.labels.get(container_names.TASK_ID, "") not in tasks)
