"""Rules about what a container is and how it runs: name, image, amounts, process, health, logs (ecs.md section 1.2). Pure."""

import re
from collections.abc import Iterator

from longshore.registry import rule
from longshore.registry.rule import Found, Rule
from longshore.registry.subjects import Container

NAME = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)

_IMAGE = re.compile(r"[A-Za-z0-9_:./#-]{1,255}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_USER = re.compile(r"[^\s:]+(:[^\s:]+)?")

LOG_DRIVERS = frozenset({"awsfirelens", "awslogs", "fluentd", "gelf", "journald", "json-file", "splunk", "syslog"})
MAX_ENVIRONMENT_FILES = 10
MAX_IGNORED_EXIT_CODES = 50


def _bad_image(container: Container) -> Iterator[Found]:
    name, at, digest = container.message.image.partition("@")
    if container.message.image and not (_IMAGE.fullmatch(name) and (not at or _DIGEST.fullmatch(digest))):
        yield Found("image", container.message.image)


def _no_memory(container: Container) -> Iterator[Found]:
    message = container.message
    # A task-level amount that cannot be read has its own fault; this one would only mislead.
    if not message.memory and not message.memory_reservation and not container.definition.message.HasField("memory"):
        yield Found("memory", None)


def _reservation_not_below_limit(container: Container) -> Iterator[Found]:
    message = container.message
    if message.memory > 0 and message.memory_reservation > 0 and message.memory <= message.memory_reservation:
        yield Found("memory", message.memory, {"reservation": message.memory_reservation})


def _limit_above_task(container: Container) -> Iterator[Found]:
    limit = container.definition.memory
    if limit and container.message.memory > limit:
        yield Found("memory", container.message.memory, {"limit": limit})


def _bad_health_command(container: Container) -> Iterator[Found]:
    command = container.message.health_check.command
    if command and (command[0] not in {"CMD", "CMD-SHELL"} or len(command) == 1):
        yield Found("healthCheck.command", list(command), {"first": command[0][:80]})


RULES: tuple[Rule[Container], ...] = (
    Rule(
        "container-name-required",
        "ecs.md 1.2",
        rule.required("name"),
        text="Container.name should not be null or empty.",
    ),
    Rule(
        "container-name",
        "ecs.md 1.2",
        rule.each("name", lambda name: not name or NAME.fullmatch(str(name)) is not None),
        "must be at most 255 letters, digits, hyphens and underscores",
    ),
    Rule(
        "container-image-required",
        "ecs.md 1.2",
        rule.required("image"),
        text="Container.image should not be null or empty.",
    ),
    Rule(
        "container-image",
        "ecs.md 1.2",
        _bad_image,
        "must be a name of at most 255 characters out of A-Z a-z 0-9 - _ : . / #, with @sha256: and 64 hex digits where it names"
        " a digest",
    ),
    Rule("container-cpu", "ecs.md 1.2", rule.each("cpu", rule.at_least(0)), "must not be negative"),
    Rule("container-memory", "ecs.md 1.2", rule.each("memory", rule.at_least(0)), "must not be negative"),
    Rule(
        "container-memory-reservation",
        "ecs.md 1.2",
        rule.each("memoryReservation", rule.at_least(0)),
        "must not be negative",
    ),
    Rule(
        "container-memory-given",
        "ecs.md 1.2",
        _no_memory,
        text="Invalid setting for {subject}. At least one of 'memory' or 'memoryReservation' must be specified.",
    ),
    Rule(
        "container-memory-above-reservation",
        "ecs.md 1.2",
        _reservation_not_below_limit,
        "must be greater than memoryReservation, which is {reservation}",
    ),
    Rule(
        "container-memory-within-task",
        "ecs.md 1.1",
        _limit_above_task,
        "must be at most the memory of the task, {limit} MiB",
    ),
    Rule(
        "user",
        "ecs.md 1.2",
        rule.each("user", lambda user: not user or _USER.fullmatch(str(user)) is not None),
        "must be a user, or user:group, each by name or number",
    ),
    Rule(
        "environment-name",
        "ecs.md 1.2",
        rule.required("environment[].name"),
        "must be the name of a variable",
    ),
    Rule(
        "environment-name-form",
        "ecs.md 1.2",
        rule.each("environment[].name", lambda name: "=" not in str(name) and "\0" not in str(name)),
        "must have no '=' in it",
    ),
    Rule(
        "environment-files-count",
        "ecs.md 1.2",
        rule.at_most("environmentFiles", MAX_ENVIRONMENT_FILES),
        f"must be at most {MAX_ENVIRONMENT_FILES} files long",
    ),
    Rule(
        "environment-file-type",
        "ecs.md 1.2",
        rule.required("environmentFiles[].type"),
        "must be 's3'",
    ),
    Rule(
        "environment-file-value",
        "ecs.md 1.2",
        rule.required("environmentFiles[].value"),
        "must name a file",
    ),
    Rule(
        "environment-file-extension",
        "ecs.md 1.2",
        rule.each("environmentFiles[].value", lambda name: not name or str(name).endswith(".env")),
        "must end with '.env'",
    ),
    Rule(
        "secrets-unsupported",
        "ecs.md 1.2",
        rule.absent("secrets"),
        "must be left out: Longshore has no secrets yet",
    ),
    Rule(
        "log-secrets-unsupported",
        "ecs.md 1.2",
        rule.absent("logConfiguration.secretOptions"),
        "must be left out: Longshore has no secrets yet",
    ),
    Rule(
        "log-driver-required",
        "ecs.md 1.2",
        rule.required("logConfiguration.logDriver"),
        f"must be one of {', '.join(sorted(LOG_DRIVERS))}",
    ),
    Rule(
        "log-driver",
        "ecs.md 1.2",
        rule.each("logConfiguration.logDriver", lambda driver: not driver or driver in LOG_DRIVERS),
        f"must be one of {', '.join(sorted(LOG_DRIVERS))}",
    ),
    Rule(
        "repository-credentials",
        "ecs.md 1.2",
        rule.required("repositoryCredentials.credentialsParameter"),
        "must name a secret",
    ),
    Rule("health-command-required", "ecs.md 1.2", rule.required("healthCheck.command"), "must be a command"),
    Rule(
        "health-command",
        "ecs.md 1.2",
        _bad_health_command,
        "must begin with 'CMD' or 'CMD-SHELL' (it begins with '{first}') and go on with what to run",
    ),
    Rule(
        "health-interval",
        "ecs.md 1.2",
        rule.each("healthCheck.interval", rule.between(5, 300)),
        "must be between 5 and 300 s",
    ),
    Rule(
        "health-timeout",
        "ecs.md 1.2",
        rule.each("healthCheck.timeout", rule.between(2, 60)),
        "must be between 2 and 60 s",
    ),
    Rule(
        "health-retries",
        "ecs.md 1.2",
        rule.each("healthCheck.retries", rule.between(1, 10)),
        "must be between 1 and 10",
    ),
    Rule(
        "health-start-period",
        "ecs.md 1.2",
        rule.each("healthCheck.startPeriod", rule.between(0, 300)),
        "must be between 0 and 300 s",
    ),
    Rule(
        "restart-enabled-required",
        "ecs.md 1.2",
        rule.required("restartPolicy.enabled"),
        "must be true or false",
    ),
    Rule(
        "restart-ignored-count",
        "ecs.md 1.2",
        rule.at_most("restartPolicy.ignoredExitCodes", MAX_IGNORED_EXIT_CODES),
        f"must be at most {MAX_IGNORED_EXIT_CODES} exit codes long",
    ),
    Rule(
        "restart-period",
        "ecs.md 1.2",
        rule.each("restartPolicy.restartAttemptPeriod", rule.between(60, 1800)),
        "must be between 60 and 1800 s",
    ),
    Rule("start-timeout", "ecs.md 1.2", rule.each("startTimeout", rule.at_least(1)), "must be at least 1 s"),
    Rule("stop-timeout", "ecs.md 1.2", rule.each("stopTimeout", rule.at_least(1)), "must be at least 1 s"),
    Rule(
        "resource-type",
        "ecs.md 1.2",
        rule.required("resourceRequirements[].type"),
        "must be 'GPU', 'NeuronDevice' or 'InferenceAccelerator'",
    ),
    Rule("resource-value", "ecs.md 1.2", rule.required("resourceRequirements[].value"), "must say how many"),
    Rule("credential-specs-count", "ecs.md 1.2", rule.at_most("credentialSpecs", 1), "must be at most one file long"),
)
