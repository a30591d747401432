"""Cases of the rules about what a container is and how it runs."""

from tests.unit.registry.cases import Case, container, of_container, one, task

_WEB = "Invalid setting for container 'web': "
_DRIVERS = "awsfirelens, awslogs, fluentd, gelf, journald, json-file, splunk, syslog"
_IMAGE = (
    "it must be a name of at most 255 characters out of A-Z a-z 0-9 - _ : . / #, with @sha256: and 64 hex digits where it names a"
    " digest."
)
_COMMAND = "and go on with what to run."

CASES: tuple[Case, ...] = (
    one("container-name-required", "Container.name should not be null or empty.", task(container(name=None))),
    one("container-name-required", "Container.name should not be null or empty.", task(container(name=""))),
    one(
        "container-name",
        "Invalid setting for container 'web.1': name is 'web.1'; it must be at most 255 letters, digits, hyphens and underscores.",
        task(container(name="web.1")),
    ),
    one("container-image-required", "Container.image should not be null or empty.", task(container(image=None))),
    of_container("container-image", f"image is 'ngi nx'; {_IMAGE}", image="ngi nx"),
    of_container("container-image", f"image is 'nginx@sha256:abc'; {_IMAGE}", image="nginx@sha256:abc"),
    of_container("container-image", f"image is '{'i' * 79}…; {_IMAGE}", image="i" * 256),
    of_container("container-cpu", "cpu is -1; it must not be negative.", cpu=-1),
    of_container("container-memory", "memory is -5; it must not be negative.", memory=-5),
    of_container(
        "container-memory-reservation", "memoryReservation is -5; it must not be negative.", memoryReservation=-5
    ),
    one(
        "container-memory-given",
        "Invalid setting for container 'web'. At least one of 'memory' or 'memoryReservation' must be specified.",
        task(container(memory=None)),
    ),
    one(
        "container-memory-given",
        "Invalid setting for container 'web'. At least one of 'memory' or 'memoryReservation' must be specified.",
        task(container(memory=0, memoryReservation=0)),
    ),
    of_container(
        "container-memory-above-reservation",
        "memory is 128; it must be greater than memoryReservation, which is 128.",
        memoryReservation=128,
    ),
    one(
        "container-memory-within-task",
        f"{_WEB}memory is 1024; it must be at most the memory of the task, 512 MiB.",
        task(container(memory=1024, memoryReservation=256), memory="512"),
    ),
    of_container("user", "user is 'app:'; it must be a user, or user:group, each by name or number.", user="app:"),
    of_container(
        "environment-name",
        "environment[0].name is not given; it must be the name of a variable.",
        environment=[{"value": "hidden"}],
    ),
    of_container(
        "environment-name-form",
        "environment[1].name is 'A=B'; it must have no '=' in it.",
        environment=[{"name": "A", "value": "hidden"}, {"name": "A=B", "value": "hidden"}],
    ),
    of_container(
        "environment-files-count",
        "environmentFiles is a list of 11; it must be at most 10 files long.",
        environmentFiles=[{"type": "s3", "value": "arn:aws:s3:::b/a.env"}] * 11,
    ),
    of_container(
        "environment-file-type",
        "environmentFiles[0].type is not given; it must be 's3'.",
        environmentFiles=[{"value": "arn:aws:s3:::b/a.env"}],
    ),
    of_container(
        "environment-file-value",
        "environmentFiles[0].value is not given; it must name a file.",
        environmentFiles=[{"type": "s3"}],
    ),
    of_container(
        "environment-file-extension",
        "environmentFiles[0].value is 'arn:aws:s3:::b/a.txt'; it must end with '.env'.",
        environmentFiles=[{"type": "s3", "value": "arn:aws:s3:::b/a.txt"}],
    ),
    of_container(
        "secrets-unsupported",
        "secrets is a list of 1; it must be left out: Longshore has no secrets yet.",
        secrets=[{"name": "PASSWORD", "valueFrom": "arn:aws:ssm:us-east-1:123456789012:parameter/p"}],
    ),
    of_container(
        "log-secrets-unsupported",
        "logConfiguration.secretOptions is a list of 1; it must be left out: Longshore has no secrets yet.",
        logConfiguration={"logDriver": "splunk", "secretOptions": [{"name": "splunk-token", "valueFrom": "x"}]},
    ),
    of_container(
        "log-driver-required",
        f"logConfiguration.logDriver is not given; it must be one of {_DRIVERS}.",
        logConfiguration={"options": {"max-size": "1m"}},
    ),
    of_container(
        "log-driver",
        f"logConfiguration.logDriver is 'logentries'; it must be one of {_DRIVERS}.",
        logConfiguration={"logDriver": "logentries"},
    ),
    of_container(
        "repository-credentials",
        "repositoryCredentials.credentialsParameter is not given; it must name a secret.",
        repositoryCredentials={},
    ),
    of_container(
        "health-command-required",
        "healthCheck.command is a list of 0; it must be a command.",
        healthCheck={"interval": 5},
    ),
    of_container(
        "health-command",
        "healthCheck.command is a list of 2; it must begin with 'CMD' or 'CMD-SHELL' (it begins with 'curl')"
        f" {_COMMAND}",
        healthCheck={"command": ["curl", "localhost"]},
    ),
    of_container(
        "health-command",
        f"healthCheck.command is a list of 1; it must begin with 'CMD' or 'CMD-SHELL' (it begins with 'CMD') {_COMMAND}",
        healthCheck={"command": ["CMD"]},
    ),
    of_container(
        "health-interval",
        "healthCheck.interval is 301; it must be between 5 and 300 s.",
        healthCheck={"command": ["CMD", "true"], "interval": 301},
    ),
    of_container(
        "health-timeout",
        "healthCheck.timeout is 1; it must be between 2 and 60 s.",
        healthCheck={"command": ["CMD", "true"], "timeout": 1},
    ),
    of_container(
        "health-retries",
        "healthCheck.retries is 0; it must be between 1 and 10.",
        healthCheck={"command": ["CMD", "true"], "retries": 0},
    ),
    of_container(
        "health-start-period",
        "healthCheck.startPeriod is 301; it must be between 0 and 300 s.",
        healthCheck={"command": ["CMD", "true"], "startPeriod": 301},
    ),
    of_container(
        "restart-enabled-required",
        "restartPolicy.enabled is not given; it must be true or false.",
        restartPolicy={"restartAttemptPeriod": 60},
    ),
    of_container(
        "restart-ignored-count",
        "restartPolicy.ignoredExitCodes is a list of 51; it must be at most 50 exit codes long.",
        restartPolicy={"enabled": True, "ignoredExitCodes": list(range(51))},
    ),
    of_container(
        "restart-period",
        "restartPolicy.restartAttemptPeriod is 59; it must be between 60 and 1800 s.",
        restartPolicy={"enabled": True, "restartAttemptPeriod": 59},
    ),
    of_container("start-timeout", "startTimeout is 0; it must be at least 1 s.", startTimeout=0),
    of_container("stop-timeout", "stopTimeout is 0; it must be at least 1 s.", stopTimeout=0),
    of_container(
        "resource-type",
        "resourceRequirements[0].type is not given; it must be 'GPU', 'NeuronDevice' or 'InferenceAccelerator'.",
        resourceRequirements=[{"value": "1"}],
    ),
    of_container(
        "resource-value",
        "resourceRequirements[0].value is not given; it must say how many.",
        resourceRequirements=[{"type": "GPU"}],
    ),
    of_container(
        "credential-specs-count",
        "credentialSpecs is a list of 2; it must be at most one file long.",
        credentialSpecs=["credentialspec:a", "credentialspec:b"],
    ),
)
