"""What ExplainPlacement reads and answers."""

from collections.abc import Sequence

from longshore.rpc import arns
from longshore.scheduler import explaining, placement, snapshot, work
from longshore.storage import held, ports, steps
from longshore.storage.dialect import Dialect
from longshore.v1 import scheduler_service_pb2

MAX_TASKS = 5_000
"""Tasks of the nearest instances that are read."""


def tasks_on(dialect: Dialect, instance_ids: Sequence[str]) -> steps.Step[dict[str, list[explaining.Held]]]:
    """The tasks that hold resources of these instances."""
    rows = yield from steps.fetch(
        "SELECT task_id, instance_id, group_name, cpu, memory, ports, resources FROM task_intents"  # noqa: S608 - the dialect's own
        f" WHERE {dialect.member('instance_id', 1)} AND settled = 0 ORDER BY task_id LIMIT $2",
        list(instance_ids),
        MAX_TASKS,
    )
    found: dict[str, list[explaining.Held]] = {}
    for row in rows:
        load = snapshot.Load(
            row["cpu"],
            row["memory"],
            ports.from_column(row["ports"]),
            row["group_name"],
            named=held.from_column(row["resources"]),
        )
        found.setdefault(row["instance_id"], []).append(explaining.Held(row["task_id"], row["group_name"], load))
    return found


def respond(
    wanted: work.Wanted, request: placement.Request, found: explaining.Explanation, place: arns.Place
) -> scheduler_service_pb2.ExplainPlacementResponse:
    """The answer."""
    cluster = wanted.asked.cluster
    response = scheduler_service_pb2.ExplainPlacementResponse(
        summary=summary(request, found),
        cpu=request.needs.cpu,
        memory=request.needs.memory,
        instances=found.instances,
        fitting=found.fitting,
        chosen=[place.container_instance(cluster, instance_id) for instance_id in found.chosen],
    )
    for reason, count in found.reasons.items():
        response.reasons.add(reason=reason, instances=count)
    for verdict in found.verdicts:
        shown = response.verdicts.add(
            container_instance_arn=place.container_instance(cluster, verdict.instance_id),
            status=verdict.status,
            fits=verdict.fits,
            remedy=verdict.remedy,
        )
        for miss in verdict.misses:
            shown.misses.add(reason=miss.reason, detail=miss.detail)
    return response


def summary(request: placement.Request, found: explaining.Explanation) -> str:
    """One sentence for whoever reads no further."""
    if not found.instances:
        return "The cluster has no container instance."
    placed, wanted = len(found.chosen), request.count
    where = f"{found.fitting} of {found.instances} container instances"
    if placed == wanted:
        return f"It fits on {where}."
    if placed:
        return f"{placed} of {wanted} tasks fit, on {where}."
    near = next((verdict for verdict in found.verdicts if verdict.remedy), None)
    told = f"It fits on none of {found.instances} container instances."
    return told if near is None else f"{told} The nearest, {near.instance_id}, {near.remedy}."
