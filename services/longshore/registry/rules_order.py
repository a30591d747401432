"""Rules about which container waits for which: dependsOn, and the cycles it makes with links and volumesFrom (ecs.md 1.3). Pure."""

from collections.abc import Iterator

from longshore.registry import rule, rules_ports, subjects
from longshore.registry.rule import Found, Rule
from longshore.registry.subjects import Container, Definition
from longshore.rpc import codec_schema
from longshore.v1 import task_definition_pb2

_ENDS = frozenset({task_definition_pb2.CONTAINER_CONDITION_COMPLETE, task_definition_pb2.CONTAINER_CONDITION_SUCCESS})
_HEALTHY = task_definition_pb2.CONTAINER_CONDITION_HEALTHY


def _unknown(container: Container) -> Iterator[Found]:
    for index, dependency in enumerate(container.message.depends_on):
        name = dependency.container_name
        if name and (name not in container.definition.by_name or name == container.message.name):
            yield Found(f"dependsOn[{index}].containerName", name)


def _waits_for_end_of_essential(container: Container) -> Iterator[Found]:
    for index, dependency in enumerate(container.message.depends_on):
        other = container.definition.by_name.get(dependency.container_name)
        if other is not None and dependency.condition in _ENDS and subjects.is_essential(other):
            word = codec_schema.word(task_definition_pb2.ContainerCondition.DESCRIPTOR, dependency.condition)
            yield Found(f"dependsOn[{index}].condition", word, {"other": other.name})


def _waits_for_health_of_unchecked(container: Container) -> Iterator[Found]:
    for index, dependency in enumerate(container.message.depends_on):
        other = container.definition.by_name.get(dependency.container_name)
        if other is not None and dependency.condition == _HEALTHY and not other.HasField("health_check"):
            yield Found(f"dependsOn[{index}].condition", "HEALTHY", {"other": other.name})


def _waits_for(container: task_definition_pb2.ContainerDefinition) -> frozenset[str]:
    """Containers that must be there before this one."""
    links = (rules_ports.linked(link) for link in container.links)
    return frozenset(
        [
            *(dependency.container_name for dependency in container.depends_on),
            *(name for name in links if name is not None),
            *(source.source_container for source in container.volumes_from),
        ]
    )


def _cycles(definition: Definition) -> Iterator[Found]:
    """One finding per cycle. A container that waits for itself is told by the rules on names."""
    if len(definition.by_name) > subjects.MAX_CONTAINERS:
        return  # a fault already, and the search grows fast with their number
    edges = {name: _waits_for(container) - {name} for name, container in definition.by_name.items()}
    told: set[frozenset[str]] = set()
    for start in edges:
        cycle = _way_back(edges, start)
        if cycle and frozenset(cycle) not in told:
            told.add(frozenset(cycle))
            yield Found("containerDefinitions", None, {"cycle": " → ".join([*cycle, cycle[0]])})


def _way_back(edges: dict[str, frozenset[str]], start: str) -> list[str]:
    """The shortest way from a container to itself along what it waits for; empty where there is none."""
    ways = [[start]]
    seen: set[str] = set()
    while ways:
        longer: list[list[str]] = []
        for way in ways:
            for following in sorted(edges.get(way[-1], ())):
                if following == start:
                    return way
                if following not in seen:
                    seen.add(following)
                    longer.append([*way, following])
        ways = longer
    return []


DEFINITION: tuple[Rule[Definition], ...] = (
    Rule(
        "dependencies-no-cycle",
        "ecs.md 1.3",
        _cycles,
        text="Invalid setting for {subject}: {field} have a cycle, {cycle}; dependsOn, links and volumesFrom must leave one that"
        " can start first.",
    ),
)

CONTAINERS: tuple[Rule[Container], ...] = (
    Rule("depends-on-name", "ecs.md 1.2", rule.required("dependsOn[].containerName"), "must be a container's name"),
    Rule("depends-on-known", "ecs.md 1.2", _unknown, "must be the name of another container of the task"),
    Rule(
        "depends-on-condition",
        "ecs.md 1.3",
        rule.required("dependsOn[].condition"),
        "must be START, COMPLETE, SUCCESS or HEALTHY",
    ),
    Rule(
        "depends-on-end-of-essential",
        "ecs.md 1.3",
        _waits_for_end_of_essential,
        "must not be the end of container '{other}', which is essential",
    ),
    Rule(
        "depends-on-health-unchecked",
        "ecs.md 1.3",
        _waits_for_health_of_unchecked,
        "must not be the health of container '{other}', which has no healthCheck",
    ),
)
