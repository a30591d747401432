"""Made-up journals of drills: one in which all is well, to be broken by each test in its own way."""

from collections.abc import Sequence
from typing import Any

Record = dict[str, Any]

SERVED, WORKED, TALKED = "a" * 32, "b" * 32, "c" * 32


def event(
    at: float,
    sequence: int,
    task: str,
    version: int,
    status: str,
    *,
    containers: Sequence[Record] = (),
    **more: Any,
) -> Record:
    """An event of a task."""
    told = {"desired": "RUNNING", "stop_code": "", "reason": "", "released": False, **more}
    change = {"task": task, "version": version, "status": status, "containers": list(containers), **told}
    return {"at": at, "what": "event", "sequence": sequence, "task": change}


def container(status: str, code: int | None = None, **more: Any) -> Record:
    """A container of an event."""
    told = {"runtime_id": "1" * 64, "reason": "", "restarts": 0, "ports": [], **more}
    return {"name": "main", "status": status, "code": code, **told}


def accepted(at: float, task: str, key: str, kind: str, *, code: int = 0) -> Record:
    """An accepted task."""
    return {"at": at, "what": "accepted", "task": task, "key": key, "kind": kind, "code": code, "cpu": 16, "memory": 24}


def described(task: str, version: int, stop_code: str, reason: str = "") -> Record:
    """A task as it is described at the end."""
    told = {"version": version, "status": "STOPPED", "stop_code": stop_code, "reason": reason}
    return {"at": 90.0, "what": "described", "task": task, **told}


def blow(at: float, over: float, fault: str, **details: Any) -> list[Record]:
    """A fault from its beginning until the host worked again, a second after it was over."""
    return [
        {"at": at, "what": "blow", "strike": 0, "fault": fault, "hold": over - at, **details},
        {"at": over, "what": "blow over", "strike": 0, "fault": fault, **details},
        {"at": over + 1, "what": "recovered", "strike": 0, "faults": [fault], "took": 1.0},
    ]


def served() -> list[Record]:
    """A server that was stopped."""
    runs = [container("RUNNING", ports=["127.0.0.1:32768/1"])]
    ended = [container("STOPPED", 0, ports=["127.0.0.1:32768/1"], runtime_id="1" * 64)]
    return [
        accepted(1.0, SERVED, "0-0", "server"),
        event(1.0, 1, SERVED, 1, "PENDING"),
        event(2.0, 2, SERVED, 2, "RUNNING", containers=runs),
        {"at": 10.0, "what": "stop", "task": SERVED},
        event(10.1, 3, SERVED, 3, "STOPPING", desired="STOPPED", stop_code="USER_INITIATED", containers=runs),
        event(
            11.0,
            4,
            SERVED,
            4,
            "STOPPED",
            desired="STOPPED",
            stop_code="USER_INITIATED",
            released=True,
            containers=ended,
        ),
        described(SERVED, 4, "USER_INITIATED"),
        {"at": 91.0, "what": "story", "name": "0-0.main", "lines": ["start 1002", "end 0 1011"]},
    ]


def worked() -> list[Record]:
    """A worker that ended by itself, with 3."""
    runs = [container("RUNNING", runtime_id="2" * 64)]
    ended = [container("STOPPED", 3, runtime_id="2" * 64)]
    essential = {"desired": "STOPPED", "stop_code": "ESSENTIAL_CONTAINER_EXITED", "released": True}
    return [
        accepted(12.0, WORKED, "1-0", "worker", code=3),
        event(12.0, 5, WORKED, 1, "PENDING"),
        event(13.0, 6, WORKED, 2, "RUNNING", containers=runs),
        event(20.0, 7, WORKED, 3, "STOPPED", containers=ended, **essential),
        described(WORKED, 3, "ESSENTIAL_CONTAINER_EXITED"),
        {"at": 91.0, "what": "story", "name": "1-0.main", "lines": ["start 1013", "end 3 1020"]},
    ]


def talked() -> list[Record]:
    """A talker whose output was read as it came."""
    ended = [container("STOPPED", 0, runtime_id="4" * 64)]
    essential = {"desired": "STOPPED", "stop_code": "ESSENTIAL_CONTAINER_EXITED", "released": True}
    return [
        accepted(22.0, TALKED, "2-0", "talker"),
        event(22.0, 8, TALKED, 1, "PENDING"),
        event(25.0, 9, TALKED, 2, "STOPPED", containers=ended, **essential),
        read(TALKED),
        described(TALKED, 2, "ESSENTIAL_CONTAINER_EXITED"),
        {"at": 91.0, "what": "story", "name": "2-0.main", "lines": ["start 1023", "wrote 9 1025", "end 0 1025"]},
    ]


def read(task: str, **changes: Any) -> Record:
    """What was read of a task's output: nine lines, all well."""
    told = {"lines": 9, "missing": [], "repeated": [], "kept": False, "error": "", **changes}
    return {"at": 26.0, "what": "read", "task": task, **told}


def refused(at: float, said: str) -> Record:
    """A task that was not placed."""
    return {"at": at, "what": "refused", "key": "4-0", "kind": "worker", "said": said}


def sound() -> list[Record]:
    """A journal in which all is well."""
    return [
        {"at": 0.0, "what": "began", "clock": 1000.0},
        {"at": 0.5, "what": "capacity", "cpu": 2048, "memory": 40},
        *served(),
        *worked(),
        *talked(),
        {"at": 92.0, "what": "left", "found": {}},
        {"at": 93.0, "what": "over"},
    ]
