"""`python -m longshore.planning`: what `longshore simulate --plan FILE` becomes."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from longshore.client import addresses, documents
from longshore.client import client as clients
from longshore.planning import asked, sizing, telling
from longshore.registry import definitions
from longshore.rpc import errors, settings
from longshore.v1 import registry_service_pb2, task_definition_pb2

EXIT_OK, EXIT_FAILED, EXIT_USAGE = 0, 1, 2


@settings.config
class Config(settings.Process):
    """Say what would fit where, and how many instances of which size a set of task definitions needs."""

    plan: Path = settings.option(help="JSON file: kinds of instances, and tasks by their definitions")
    output: str = settings.option(default="text", help="how the plan is told", choices=("text", "json"))


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Plan; the exit code: 0 all fits, 1 something does not or cannot be read, 2 wrong usage."""
    try:
        parsed = settings.parse(Config, argv, environ, prog="longshore simulate --plan FILE")
    except settings.SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_USAGE
    try:
        plan = asked.parse(parsed.plan.read_text())
        bodies = asyncio.run(_definitions(parsed, plan))
    except (asked.BadPlan, OSError, UnicodeDecodeError) as error:
        sys.stderr.write(f"longshore simulate: {parsed.plan}: {error}\n")
        return EXIT_FAILED
    except errors.ServiceError as error:
        sys.stderr.write(f"longshore simulate: {parsed.plan}: {error.reason}: {error.message}\n")
        return EXIT_FAILED
    wanted = [sizing.wanted(tasks, bodies[tasks.definition]) for tasks in plan.tasks]
    counted = {kind.name: kind.count for kind in plan.kinds if kind.count is not None}
    fit = sizing.fit(plan.kinds, counted, wanted)
    needed = [sizing.needed(plan.kinds, kind, wanted) for kind in plan.kinds if kind.count is None]
    if parsed.output == "json":
        sys.stdout.write(json.dumps(telling.as_json(plan.kinds, fit, needed), indent=2) + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in telling.lines(plan.kinds, fit, needed))
    fits = any(one.count is not None for one in needed) if needed else not fit.unplaced
    return EXIT_OK if fits else EXIT_FAILED


async def _definitions(parsed: Config, plan: asked.Asked) -> dict[str, task_definition_pb2.TaskDefinition]:
    """The definitions by how the plan names them: files beside it, others asked for. Raises ServiceError, OSError."""
    found: dict[str, task_definition_pb2.TaskDefinition] = {}
    at = addresses.Addresses(parsed.registry_addresses, parsed.scheduler_addresses, parsed.state_tracker_addresses)
    async with clients.Client(addresses=at, files=parsed.tls) as client:
        for name in dict.fromkeys(tasks.definition for tasks in plan.tasks):
            if name.endswith(".json") or "/" in name:
                text = (parsed.plan.parent / name).read_text()
                found[name] = definitions.prepared(documents.parse(text).request, principal="planning")
            else:
                request = registry_service_pb2.DescribeTaskDefinitionRequest(task_definition=name)
                answer = await client.call(client.registry.DescribeTaskDefinition, request)
                found[name] = answer.task_definition
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
