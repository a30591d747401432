"""Rules about a task definition as a whole: ecs.md section 1.1. Pure."""

from collections.abc import Iterator

from google.protobuf.message import Message

from longshore.query import evaluation, syntax
from longshore.registry import compatibilities, names, rule, subjects
from longshore.registry.rule import Found, Rule
from longshore.registry.subjects import Definition
from longshore.rpc import codec_schema
from longshore.rpc.codec_schema import Kind, Shape
from longshore.v1 import task_definition_pb2

MAX_CONSTRAINTS = 10
MAX_EXPRESSION = 2_000
LEAST_CPU, MOST_CPU = 128, 196_608
LEAST_EPHEMERAL_GIB, MOST_EPHEMERAL_GIB = 21, 200

_IPC_NAMESPACES = ("kernel.msg", "kernel.sem", "kernel.shm", "fs.mqueue.")


def _no_essential(definition: Definition) -> Iterator[Found]:
    listed = definition.message.container_definitions
    if listed and not any(subjects.is_essential(container) for container in listed):
        yield Found("containerDefinitions", list(listed))


def _unreadable_cpu(definition: Definition) -> Iterator[Found]:
    if definition.message.HasField("cpu") and definition.cpu is None:
        yield Found("cpu", definition.message.cpu)


def _cpu_out_of_range(definition: Definition) -> Iterator[Found]:
    if definition.cpu is not None and not LEAST_CPU <= definition.cpu <= MOST_CPU:
        yield Found("cpu", definition.message.cpu)


def _unreadable_memory(definition: Definition) -> Iterator[Found]:
    if definition.message.HasField("memory") and not definition.memory:
        yield Found("memory", definition.message.memory)


def _containers_exceed_cpu(definition: Definition) -> Iterator[Found]:
    wanted = sum(max(container.cpu, 0) for container in definition.message.container_definitions)
    if definition.cpu is not None and wanted > definition.cpu:
        yield Found("cpu", definition.message.cpu, {"wanted": wanted})


def _containers_exceed_memory(definition: Definition) -> Iterator[Found]:
    wanted = sum(
        max(container.memory_reservation or container.memory, 0)
        for container in definition.message.container_definitions
    )
    if definition.memory and wanted > definition.memory:
        yield Found("memory", definition.message.memory, {"wanted": wanted})


def _ipc_controls_on_host(definition: Definition) -> Iterator[Found]:
    if definition.message.ipc_mode != task_definition_pb2.IPC_MODE_HOST:
        return
    for number, container in enumerate(definition.message.container_definitions):
        for index, control in enumerate(container.system_controls):
            if control.namespace.startswith(_IPC_NAMESPACES):
                yield Found(
                    f"containerDefinitions[{number}].systemControls[{index}].namespace",
                    control.namespace,
                    {"container": container.name},
                )


def _unmet_compatibilities(definition: Definition) -> Iterator[Found]:
    words = codec_schema.schema(definition.message.DESCRIPTOR).fields["requiresCompatibilities"].words.of
    given = list(definition.message.requires_compatibilities)
    for index, wanted in ((given.index(each), each) for each in dict.fromkeys(given)):
        for reason in compatibilities.unmet(definition, wanted):
            yield Found(f"requiresCompatibilities[{index}]", words.get(wanted, wanted), {"reason": reason})


def _unknown_words(definition: Definition) -> Iterator[Found]:
    """Enum values of a newer release, or of none: in JSON they cannot occur, over gRPC they can."""
    yield from _unknown_words_in(definition.message, "")


def _unknown_words_in(message: Message, prefix: str) -> Iterator[Found]:
    fields = codec_schema.schema(message.DESCRIPTOR).fields
    for descriptor, held in message.ListFields():
        field = fields[descriptor.json_name]
        if field.shape is Shape.MAP or field.kind not in {Kind.WORD, Kind.OBJECT, Kind.LIST}:
            continue
        where = f"{prefix}{field.json_name}"
        places = [(where, held)]
        if field.shape is Shape.MANY:
            places = [(f"{where}[{index}]", item) for index, item in enumerate(held)]
        for place, item in places:
            if field.kind is not Kind.WORD:
                yield from _unknown_words_in(item, f"{place}.")
            elif item not in field.words.of:
                yield Found(place, item, {"words": ", ".join(sorted(field.words.numbers)[:10])})


def _no_expressions(subject: Definition) -> Iterator[Found]:
    """Expressions that cannot be read; those that are missing or too long have rules of their own."""
    for index, constraint in enumerate(subject.message.placement_constraints):
        if not constraint.expression or len(constraint.expression) > MAX_EXPRESSION:
            continue
        try:
            evaluation.compiled(constraint.expression)
        except syntax.QueryError as error:
            where = f"placementConstraints[{index}].expression"
            yield Found(where, constraint.expression, {"error": str(error)})


RULES: tuple[Rule[Definition], ...] = (
    Rule(
        "family-required",
        "ecs.md 1.1",
        rule.required("family"),
        text="Family should not be null or empty.",
    ),
    Rule(
        "family-name",
        "ecs.md 1.1",
        rule.each("family", lambda name: not name or names.NAME.fullmatch(str(name)) is not None),
        "must be at most 255 letters, digits, hyphens and underscores",
    ),
    Rule(
        "containers-required",
        "ecs.md 1.1",
        rule.required("containerDefinitions"),
        text="Container list cannot be empty.",
    ),
    Rule(
        "containers-count",
        "ecs.md 1.1",
        rule.at_most("containerDefinitions", subjects.MAX_CONTAINERS),
        f"must be at most {subjects.MAX_CONTAINERS} containers long",
    ),
    Rule(
        "containers-names-unique",
        "ecs.md 1.2",
        rule.unique("containerDefinitions[].name"),
        "must be the name of no other container of the task",
    ),
    Rule(
        "containers-one-essential",
        "ecs.md 1.1",
        _no_essential,
        "must have at least one container that is essential",
    ),
    Rule(
        "task-cpu-readable",
        "ecs.md 1.1",
        _unreadable_cpu,
        "must be CPU units ('1024') or vCPUs ('1 vCPU')",
    ),
    Rule(
        "task-cpu-range",
        "ecs.md 1.1",
        _cpu_out_of_range,
        f"must be between {LEAST_CPU} and {MOST_CPU} CPU units",
    ),
    Rule(
        "task-cpu-covers-containers",
        "ecs.md 1.2",
        _containers_exceed_cpu,
        "must be at least the CPU of all containers together, {wanted} units",
    ),
    Rule(
        "task-memory-readable",
        "ecs.md 1.1",
        _unreadable_memory,
        "must be MiB above zero ('512') or GB ('1 GB')",
    ),
    Rule(
        "task-memory-covers-containers",
        "ecs.md 1.1",
        _containers_exceed_memory,
        "must be at least what all containers together reserve, {wanted} MiB",
    ),
    Rule(
        "ipc-controls-with-host-ipc",
        "ecs.md 1.1",
        _ipc_controls_on_host,
        text="Invalid setting for container '{container}': {field} is {value}; with ipcMode 'host' it must not be one of the IPC"
        " namespace's.",
    ),
    Rule(
        "volumes-names-unique",
        "ecs.md 1.4",
        rule.unique("volumes[].name"),
        "must be the name of no other volume of the task",
    ),
    Rule(
        "constraints-count",
        "ecs.md 1.1",
        rule.at_most("placementConstraints", MAX_CONSTRAINTS),
        f"must be at most {MAX_CONSTRAINTS} constraints long",
    ),
    Rule(
        "constraint-type",
        "ecs.md 1.1",
        rule.required("placementConstraints[].type"),
        "must be 'memberOf'",
    ),
    Rule(
        "constraint-expression-required",
        "ecs.md 1.1",
        rule.required("placementConstraints[].expression"),
        "must be an expression of the cluster query language",
    ),
    Rule(
        "constraint-expression-length",
        "ecs.md 1.1",
        rule.each("placementConstraints[].expression", rule.no_longer_than(MAX_EXPRESSION)),
        f"must be at most {MAX_EXPRESSION} characters long",
    ),
    Rule(
        "constraint-expression",
        "ecs.md 3",
        _no_expressions,
        "must be an expression of the cluster query language: {error}",
    ),
    Rule(
        "compatibilities-unique",
        "ecs.md 1.1",
        rule.unique("requiresCompatibilities[]"),
        "must be given once",
    ),
    Rule(
        "compatibilities-met",
        "ecs.md 1.1",
        _unmet_compatibilities,
        text="Invalid setting for {subject}: {field} is {value}, and for that {reason}.",
    ),
    Rule(
        "ephemeral-storage-size",
        "ecs.md 1.1",
        rule.each("ephemeralStorage.sizeInGiB", rule.between(LEAST_EPHEMERAL_GIB, MOST_EPHEMERAL_GIB)),
        f"must be between {LEAST_EPHEMERAL_GIB} and {MOST_EPHEMERAL_GIB} GiB",
    ),
    Rule(
        "trusted-execution-unsupported",
        "ecs.md 1.1",
        rule.absent("trustedExecutionConfiguration"),
        "must be left out: Longshore has no managed instances",
    ),
    Rule(
        "words-known",
        "ecs.md 1.1, 1.2",
        _unknown_words,
        "must be one of ECS's values: {words}",
    ),
)
