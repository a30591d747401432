"""docs/agent-suite.md names every row of the reference agent's suite, and tests that there are (ecs.md 6.8)."""

import ast
import re
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parents[2]
DOCUMENT = TESTS.parent / "docs" / "agent-suite.md"

UNIT = (
    "host_resource_manager_test",
    "task_manager_test",
    "eventhandler: duplicates are dropped",
    "eventhandler: concurrency limit",
    "eventhandler: running after stopped",
    "dependencygraph",
)
INTEGRATION = (
    "TestHostVolumeMount",
    "TestSweepContainer",
    "TestTaskStopWhenPullImageFail",
    "TestContainerHealthCheck",
    "TestEngineSynchronize",
    "TestPortForward",
    "TestDynamicPortForward",
    "TestLinking",
    "TestVolumesFromRO",
    "TestInitOOMEvent",
    "TestSignalEvent",
    "TestDockerStopTimeout",
    "TestPerContainerStopTimeout",
    "TestMemoryOverCommit",
    *(f"TestNetworkMode{mode}" for mode in ("Host", "Bridge", "None")),
    *(
        f"TestDependency{kind}"
        for kind in (
            "Start",
            "Complete",
            "Success",
            "SuccessErrored",
            "SuccessTimeout",
            "HealthCheck",
            "HealthyTimeout",
        )
    ),
    "TestShutdownOrder",
    *(
        f"TestHostResourceManager{kind}"
        for kind in ("TrickleQueue", "ResourceUtilization", "StopTaskNotBlockWaitingTasks", "LaunchTypeBehavior")
    ),
    "TestTaskCleanup",
    "TestIntegImageCleanup",
    "TestStartStopWithCgroup",
    "introspection, 15 tests",
)
FUNCTIONAL = (
    "TestSavedState",
    "TestPortResourceContention",
    "TestPullInvalidImage",
    "TestOOMContainer",
    "TestOOMTask",
    "TestRunManyTasks",
    "TestCommandOverrides",
    "TestContainerHealthMetrics",
    "TestAgentIntrospectionValidator",
    "TestTelemetry",
    "TestTwoTasksSharedLocalVolume",
    "PID namespace",
    "IPC namespace",
    "simple-exit",
    "datavolume",
    "network-link",
    "parallel-pull",
    "readonly-rootfs",
    "ulimit",
    "user-nobody",
    "working-dir",
    "tmpfs",
    "shmsize",
    "container-ordering",
    "granular-stop-timeout",
)

_TEST = re.compile(r"`([a-z_0-9/]+\.py)::(\w+)`")


def rows() -> dict[str, str]:
    """The second cell of each row, by the first."""
    cells = [line.strip("|").split("|") for line in DOCUMENT.read_text().splitlines() if line.startswith("| ")]
    found = [(row[0].strip(), row[1].strip()) for row in cells if row[0].strip() != "of the reference agent"]
    assert len(dict(found)) == len(found), "a row stands twice"
    return dict(found)


@cache
def names_in(file: str) -> frozenset[str]:
    """Names of the tests in a file."""
    tree = ast.parse((TESTS / file).read_text())
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


def test_every_row_is_there_once_and_no_other() -> None:
    assert list(rows()) == [*UNIT, *INTEGRATION, *FUNCTIONAL]


def test_every_row_has_a_test() -> None:
    assert [name for name, ours in rows().items() if not _TEST.search(ours)] == []


def test_every_test_that_is_named_exists() -> None:
    named = _TEST.findall(DOCUMENT.read_text())
    assert named
    assert [f"{file}::{name}" for file, name in named if name not in names_in(file)] == []
