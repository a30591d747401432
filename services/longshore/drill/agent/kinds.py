"""The kinds of tasks that come and go in a drill, and what each promises. Pure.

Every container tells its own story into a file of the host, `<key of the task>.<container>`: a line when its process begins, and one with
the exit code just before it ends, both with the second of the day's clock. That file is what the reports are held against.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

IMAGE = "longshore-drill:1"
ABSENT_IMAGE = "127.0.0.1:9/absent:1"
"""Of a registry that nobody runs: port 9 refuses at once, and no name is looked up."""

STORY = "/story"
STARTED, WROTE, ENDED = "start", "wrote", "end"
LINE = "line"
"""What a talker writes: this and a number, from 1 on."""

CPU_UNITS = 16
MEMORY_MIB = 24
_GREEDY_MIB = 16
GRAIN_MIB = 8
"""What every task takes is a multiple of it, the probe's aside, so that there can always be room for one of those."""

PROBE_MIB = 6

_TELL = f'tell() {{ echo "$1 $(date +%s)" >> "{STORY}/$DRILL_KEY.$DRILL_PART"; }}; tell "{STARTED}"; '
_LEAVE = f'leave() {{ tell "{ENDED} $1"; exit "$1"; }}; '
# `sleep & wait`: a shell that waits for a child in the foreground hears of a signal only when that has ended.
_FOR_A_WHILE = 'sleep "$DRILL_LASTS" & wait $!; '
_FOR_EVER = "while :; do sleep 3600 & wait $!; done"

_ENDS = _TELL + _LEAVE + "trap 'leave 143' TERM; " + _FOR_A_WHILE + 'leave "$DRILL_CODE"'
_AT_ONCE = _TELL + _LEAVE + 'leave "$DRILL_CODE"'
_DONE = _TELL + _LEAVE + "leave 0"
_SERVES = _TELL + _LEAVE + "trap 'leave 0' TERM; " + _FOR_EVER
_LINGERS = _TELL + _LEAVE + "trap 'sleep 2; leave 7' TERM; " + _FOR_EVER
_DEAF = _TELL + "trap '' TERM; " + _FOR_EVER
_LISTENS = _TELL + _LEAVE + "trap 'leave 0' TERM; httpd -f -p 80 & wait $!; leave 9"
_GREEDY = _TELL + 'sleep "$DRILL_LASTS"; exec tail /dev/zero'
_WRITES = _TELL + _LEAVE + 'echo "$DRILL_CODE" > /shared/code || leave 1; leave 0'
_READS = _TELL + _LEAVE + _FOR_A_WHILE + 'code=$(cat /shared/code); leave "${code:-98}"'
_ASKS = (
    _TELL
    + _LEAVE
    + "trap 'leave 143' TERM; tries=0; until wget -q -O /dev/null http://127.0.0.1:8080/; do "
    + "tries=$((tries + 1)); [ $tries -lt 300 ] || leave 99; sleep 0.2; done; "
    + _FOR_A_WHILE
    + 'leave "$DRILL_CODE"'
)
_ANSWERS = (
    _TELL + _LEAVE + "trap 'leave 0' TERM; echo here > /index.html; httpd -f -p 127.0.0.1:8080 -h / & wait $!; leave 9"
)
_TALKS = (
    _TELL
    + _LEAVE
    + f"trap 'tell \"{WROTE} $lines\"; leave 0' TERM; lines=0; until=$(($(date +%s) + ${{DRILL_LASTS%.*}})); "
    + 'while [ "$(date +%s)" -le $until ]; do lines=$((lines + 1)); echo "line $lines"; sleep 0.2; done; '
    + f'tell "{WROTE} $lines"; leave "$DRILL_CODE"'
)
_GETS_READY = _TELL + _LEAVE + "trap 'leave 0' TERM; sleep 1; touch /ready; " + _FOR_EVER

KILLED = 137


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of task.

    `code`: with which exit code each container ends where nothing interferes and nobody stops it; DRILL_CODE stands for what the plan
    chose. A container that is not in it ends only because the task does.
    """

    name: str
    weight: int
    containers: tuple[Mapping[str, Any], ...]
    code: Mapping[str, int | None]
    ends: bool = True
    """By itself; else it runs until it is stopped."""
    starts: bool = True
    talks: bool = False
    """It writes numbered lines, which somebody reads as they come."""
    members: Mapping[str, Any] | None = None
    least_s: float = 0.0
    """What it must run for to be of this kind."""

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of its containers."""
        return tuple(container["name"] for container in self.containers)

    @property
    def has_address(self) -> bool:
        """Whether it has an address of its own."""
        return (self.members or {}).get("networkMode") == "awsvpc"

    @property
    def cpu(self) -> int:
        """CPU units that it takes on its instance."""
        whole = (self.members or {}).get("cpu")
        return int(whole) if whole else sum(int(container["cpu"]) for container in self.containers)

    @property
    def memory(self) -> int:
        """MiB that it takes on its instance."""
        whole = (self.members or {}).get("memory")
        return int(whole) if whole else sum(int(container["memory"]) for container in self.containers)

    def restarts(self, part: str) -> bool:
        """Whether a container is started again in place."""
        policy = next(container for container in self.containers if container["name"] == part).get("restartPolicy")
        return bool(policy)

    def definition(self, stories: str) -> dict[str, Any]:
        """Its task definition as ECS has it, with the folder of stories of this drill."""
        members = dict(self.members or {})
        volumes = [{"name": "story", "host": {"sourcePath": stories}}, *members.pop("volumes", [])]
        return {
            "family": f"drill-{self.name}",
            "networkMode": "none",
            "volumes": volumes,
            "containerDefinitions": list(self.containers),
            **members,
        }


PLANNED = None
"""In `code`: the exit code that the plan chose."""


def _container(
    name: str, script: str, *, essential: bool = True, shared: bool = False, **members: Any
) -> dict[str, Any]:
    mounts = [{"sourceVolume": "story", "containerPath": STORY}]
    if shared:
        mounts.append({"sourceVolume": "shared", "containerPath": "/shared"})
    return {
        "name": name,
        "image": IMAGE,
        "essential": essential,
        "cpu": CPU_UNITS,
        "memory": MEMORY_MIB,
        "command": ["sh", "-c", script],
        "environment": [{"name": "DRILL_PART", "value": name}],
        "mountPoints": mounts,
        "stopTimeout": 5,
    } | members


def _after(name: str, condition: str) -> list[dict[str, str]]:
    return [{"containerName": name, "condition": condition}]


_HEALTHY = {"command": ["CMD", "test", "-e", "/ready"], "interval": 5, "timeout": 5, "retries": 10}
_DYNAMIC = [{"containerPort": 80, "hostPort": 0, "protocol": "tcp"}]
_AGAIN = {"enabled": True, "restartAttemptPeriod": 60}


_ALONE = (
    Kind("instant", 3, (_container("main", _AT_ONCE),), {"main": PLANNED}),
    Kind("worker", 4, (_container("main", _ENDS),), {"main": PLANNED}),
    Kind("talker", 3, (_container("main", _TALKS),), {"main": PLANNED}, talks=True),
    Kind("server", 4, (_container("main", _SERVES),), {"main": 0}, ends=False),
    Kind("lingering", 2, (_container("main", _LINGERS),), {"main": 7}, ends=False),
    Kind("deaf", 1, (_container("main", _DEAF, stopTimeout=2),), {"main": KILLED}, ends=False),
    Kind(
        "listener",
        3,
        (_container("main", _LISTENS, portMappings=_DYNAMIC),),
        {"main": 0},
        ends=False,
        members={"networkMode": "bridge"},
    ),
    Kind(
        "host",
        1,
        (_container("main", _ENDS),),
        {"main": PLANNED},
        members={"networkMode": "host"},
    ),
    Kind("greedy", 1, (_container("main", _GREEDY, memory=_GREEDY_MIB),), {"main": KILLED}),
    Kind("absent", 1, (_container("main", _ENDS, image=ABSENT_IMAGE),), {}, starts=False),
    Kind(
        "restarting",
        1,
        (_container("main", _ENDS, restartPolicy=_AGAIN),),
        {"main": 143},
        ends=False,
        least_s=130.0,
    ),
)
"""What is one container."""

_TOGETHER = (
    Kind(
        "sidecar",
        3,
        (_container("main", _ENDS), _container("beside", _SERVES, essential=False)),
        {"main": PLANNED, "beside": 0},
    ),
    Kind(
        "ordered",
        3,
        (
            _container("first", _DONE, essential=False),
            _container("ready", _GETS_READY, essential=False, healthCheck=_HEALTHY),
            _container("main", _ENDS, dependsOn=[*_after("first", "SUCCESS"), *_after("ready", "HEALTHY")]),
        ),
        {"first": 0, "ready": 0, "main": PLANNED},
    ),
    Kind(
        "volume",
        2,
        (
            _container("writer", _WRITES, essential=False, shared=True),
            _container("main", _READS, shared=True, dependsOn=_after("writer", "SUCCESS")),
        ),
        {"writer": 0, "main": PLANNED},
        members={"volumes": [{"name": "shared", "dockerVolumeConfiguration": {"scope": "task", "driver": "local"}}]},
    ),
    Kind(
        "limited",
        2,
        (_container("main", _ENDS, cpu=0), _container("beside", _SERVES, essential=False, cpu=0)),
        {"main": PLANNED, "beside": 0},
        members={"cpu": "128", "memory": "64"},
    ),
    Kind(
        "own-address",
        3,
        (
            _container("beside", _ANSWERS, essential=False),
            _container("main", _ASKS, dependsOn=_after("beside", "START")),
        ),
        {"main": PLANNED, "beside": 0},
        members={"networkMode": "awsvpc"},
    ),
    Kind(
        "shared-processes",
        1,
        (_container("main", _ENDS), _container("beside", _SERVES, essential=False)),
        {"main": PLANNED, "beside": 0},
        members={"pidMode": "task"},
    ),
)
"""What is several containers."""

PROBE = Kind("probe", 0, (_container("main", _AT_ONCE, cpu=0, memory=PROBE_MIB),), {"main": PLANNED})
"""What is run after a fault to see whether the host works again. The plan has none of it."""

KINDS = {kind.name: kind for kind in (*_ALONE, *_TOGETHER, PROBE)}
