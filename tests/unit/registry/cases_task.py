"""Cases of the rules about a definition as a whole, its order and its tags."""

from tests.unit.registry.cases import Case, container, one, task

_DEFINITION = "Invalid setting for the task definition: "
_TAGS = "Invalid setting for the tags: "

_CHECK = {"command": ["CMD-SHELL", "true"]}


def _named(*names: str) -> list[dict[str, object]]:
    return [container(name=name) for name in names]


CASES: tuple[Case, ...] = (
    one(
        "definition-size",
        f"{_DEFINITION}its size is 70195 bytes; it must be at most 65536 bytes as JSON.",
        task(container(command=["x" * 70_000])),
    ),
    one("family-required", "Family should not be null or empty.", task(family=None)),
    one("family-required", "Family should not be null or empty.", task(family="")),
    one(
        "family-name",
        f"{_DEFINITION}family is 'my site'; it must be at most 255 letters, digits, hyphens and underscores.",
        task(family="my site"),
    ),
    one(
        "family-name",
        f"{_DEFINITION}family is '{'x' * 79}…; it must be at most 255 letters, digits, hyphens and underscores.",
        task(family="x" * 256),
    ),
    one("containers-required", "Container list cannot be empty.", task(containerDefinitions=[])),
    one(
        "containers-count",
        f"{_DEFINITION}containerDefinitions is a list of 11; it must be at most 10 containers long.",
        task(*_named(*(f"c{number}" for number in range(11)))),
    ),
    one(
        "containers-names-unique",
        f"{_DEFINITION}containerDefinitions[1].name is 'web'; it must be the name of no other container of the task.",
        task(container(), container()),
    ),
    one(
        "containers-one-essential",
        f"{_DEFINITION}containerDefinitions is a list of 2; it must have at least one container that is essential.",
        task(container(essential=False), container(name="side", essential=False)),
    ),
    one(
        "task-cpu-readable",
        f"{_DEFINITION}cpu is 'half'; it must be CPU units ('1024') or vCPUs ('1 vCPU').",
        task(cpu="half"),
    ),
    one(
        "task-cpu-readable",
        f"{_DEFINITION}cpu is '.0001 vCPU'; it must be CPU units ('1024') or vCPUs ('1 vCPU').",
        task(cpu=".0001 vCPU"),
    ),
    one("task-cpu-range", f"{_DEFINITION}cpu is '127'; it must be between 128 and 196608 CPU units.", task(cpu="127")),
    one(
        "task-cpu-range",
        f"{_DEFINITION}cpu is '193 vCPU'; it must be between 128 and 196608 CPU units.",
        task(cpu="193 vCPU"),
    ),
    one(
        "task-cpu-covers-containers",
        f"{_DEFINITION}cpu is '256'; it must be at least the CPU of all containers together, 300 units.",
        task(container(cpu=200), container(name="side", cpu=100), cpu="256"),
    ),
    one(
        "task-memory-readable",
        f"{_DEFINITION}memory is '1 TB'; it must be MiB above zero ('512') or GB ('1 GB').",
        task(memory="1 TB"),
    ),
    one(
        "task-memory-readable",
        f"{_DEFINITION}memory is '0'; it must be MiB above zero ('512') or GB ('1 GB').",
        task(memory="0"),
    ),
    one(
        "task-memory-covers-containers",
        f"{_DEFINITION}memory is '0.5 GB'; it must be at least what all containers together reserve, 600 MiB.",
        task(container(memory=500, memoryReservation=300), container(name="side", memory=300), memory="0.5 GB"),
    ),
    one(
        "ipc-controls-with-host-ipc",
        "Invalid setting for container 'web': containerDefinitions[0].systemControls[0].namespace is 'kernel.shmmax'; with"
        " ipcMode 'host' it must not be one of the IPC namespace's.",
        task(container(systemControls=[{"namespace": "kernel.shmmax", "value": "1"}]), ipcMode="host"),
    ),
    one(
        "volumes-names-unique",
        f"{_DEFINITION}volumes[1].name is 'data'; it must be the name of no other volume of the task.",
        task(volumes=[{"name": "data"}, {"name": "data"}]),
    ),
    one(
        "constraints-count",
        f"{_DEFINITION}placementConstraints is a list of 11; it must be at most 10 constraints long.",
        task(placementConstraints=[{"type": "memberOf", "expression": "attribute:a == b"}] * 11),
    ),
    one(
        "constraint-type",
        f"{_DEFINITION}placementConstraints[0].type is not given; it must be 'memberOf'.",
        task(placementConstraints=[{"expression": "attribute:a == b"}]),
    ),
    one(
        "constraint-expression-required",
        f"{_DEFINITION}placementConstraints[0].expression is not given; it must be an expression of the cluster query language.",
        task(placementConstraints=[{"type": "memberOf"}]),
    ),
    one(
        "constraint-expression-length",
        f"{_DEFINITION}placementConstraints[0].expression is '{'a' * 79}…; it must be at most 2000 characters long.",
        task(placementConstraints=[{"type": "memberOf", "expression": "a" * 2001}]),
    ),
    one(
        "constraint-expression",
        f"{_DEFINITION}placementConstraints[0].expression is 'attribute:a = b'; it must be an expression of the cluster query "
        "language: '= b' where != or !exists or !in or !~ or < or <= or == or =~ should be (column 13).",
        task(placementConstraints=[{"type": "memberOf", "expression": "attribute:a = b"}]),
    ),
    one(
        "compatibilities-unique",
        f"{_DEFINITION}requiresCompatibilities[1] is 'EC2'; it must be given once.",
        task(requiresCompatibilities=["EC2", "EC2"]),
    ),
    Case(
        "compatibilities-met",
        task(container(privileged=True), requiresCompatibilities=["EC2", "FARGATE"]),
        (
            f"{_DEFINITION}requiresCompatibilities[1] is 'FARGATE', and for that networkMode must be 'awsvpc'.",
            (
                f"{_DEFINITION}requiresCompatibilities[1] is 'FARGATE', and for that cpu and memory must be one of Fargate's sizes"
                " (they are none units and none MiB)."
            ),
            f"{_DEFINITION}requiresCompatibilities[1] is 'FARGATE', and for that container 'web' must not be privileged.",
        ),
    ),
    one(
        "ephemeral-storage-size",
        f"{_DEFINITION}ephemeralStorage.sizeInGiB is 20; it must be between 21 and 200 GiB.",
        task(ephemeralStorage={"sizeInGiB": 20}),
    ),
    one(
        "trusted-execution-unsupported",
        f"{_DEFINITION}trustedExecutionConfiguration is given; it must be left out: Longshore has no managed instances.",
        task(trustedExecutionConfiguration={"isolationMode": "SHARED"}),
    ),
    one(
        "dependencies-no-cycle",
        f"{_DEFINITION}containerDefinitions have a cycle, a → b → c → a; dependsOn, links and volumesFrom must leave one that can"
        " start first.",
        task(
            container(name="a", dependsOn=[{"containerName": "b", "condition": "START"}]),
            container(name="b", links=["c:database"]),
            container(name="c", volumesFrom=[{"sourceContainer": "a"}]),
            container(name="d", dependsOn=[{"containerName": "a", "condition": "START"}]),
        ),
    ),
    one(
        "depends-on-name",
        "Invalid setting for container 'web': dependsOn[0].containerName is not given; it must be a container's name.",
        task(container(dependsOn=[{"condition": "START"}])),
    ),
    Case(
        "depends-on-known",
        task(container(dependsOn=[{"containerName": name, "condition": "START"} for name in ("db", "web")])),
        (
            (
                "Invalid setting for container 'web': dependsOn[0].containerName is 'db'; it must be the name of another container of"
                " the task."
            ),
            (
                "Invalid setting for container 'web': dependsOn[1].containerName is 'web'; it must be the name of another container"
                " of the task."
            ),
        ),
    ),
    one(
        "depends-on-condition",
        "Invalid setting for container 'web': dependsOn[0].condition is not given; it must be START, COMPLETE, SUCCESS or"
        " HEALTHY.",
        task(container(dependsOn=[{"containerName": "db"}]), container(name="db")),
    ),
    one(
        "depends-on-end-of-essential",
        "Invalid setting for container 'web': dependsOn[0].condition is 'SUCCESS'; it must not be the end of container 'init',"
        " which is essential.",
        task(container(dependsOn=[{"containerName": "init", "condition": "SUCCESS"}]), container(name="init")),
    ),
    one(
        "depends-on-health-unchecked",
        "Invalid setting for container 'web': dependsOn[0].condition is 'HEALTHY'; it must not be the health of container 'db',"
        " which has no healthCheck.",
        task(
            container(
                dependsOn=[
                    {"containerName": "db", "condition": "HEALTHY"},
                    {"containerName": "cache", "condition": "HEALTHY"},
                ]
            ),
            container(name="db"),
            container(name="cache", healthCheck=_CHECK),
        ),
    ),
    one(
        "tags-count",
        f"{_TAGS}tags is a list of 51; it must be at most 50 tags long.",
        task(tags=[{"key": f"k{number}"} for number in range(51)]),
    ),
    one(
        "tag-key-required",
        f"{_TAGS}tags[0].key is not given; it must be a text.",
        task(tags=[{"value": "x"}]),
    ),
    one(
        "tag-key-length",
        f"{_TAGS}tags[0].key is '{'k' * 79}…; it must be at most 128 characters long.",
        task(tags=[{"key": "k" * 129}]),
    ),
    one(
        "tag-value-length",
        f"{_TAGS}tags[0].value is '{'v' * 79}…; it must be at most 256 characters long.",
        task(tags=[{"key": "k", "value": "v" * 257}]),
    ),
    one(
        "tag-key-reserved",
        f"{_TAGS}tags[0].key is 'AWS:name'; it must not begin with 'aws:', in whatever case.",
        task(tags=[{"key": "AWS:name"}]),
    ),
    one(
        "tag-key-once",
        f"{_TAGS}tags[1].key is 'team'; it must be given once.",
        task(tags=[{"key": "team", "value": "a"}, {"key": "team", "value": "b"}]),
    ),
)
