"""Made-up journals of a control plane's drills: one in which all is well, to be broken by each test in its own way."""

from typing import Any

Record = dict[str, Any]

FIRST, SECOND = "1" * 32, "2" * 32
"""Instances."""

ENDED, STOPPED = "a" * 32, "b" * 32
"""Tasks: one whose container ended by itself, one that was stopped."""

PENDING, RUNNING, STOPPING, OVER = 2, 4, 6, 8
WANTED, UNWANTED = 1, 3
ESSENTIAL, USER, HEALTH = 2, 3, 7
ACTIVE = 3


def instance_event(
    sequence: int, instance: str, version: int, *, status: int = ACTIVE, connected: int = 1
) -> list[Any]:
    """An event of an instance."""
    return [sequence, "instance", instance, version, status, connected]


def task_event(
    sequence: int,
    task: str,
    version: int,
    status: int,
    *,
    desired: int = WANTED,
    code: int = 0,
    released: int = 0,
    instance: str = FIRST,
    definition: str = "small:1",
    key: str = "",
) -> list[Any]:
    """An event of a task."""
    key = key or f"key-{task[0]}"
    return [sequence, "task", task, version, instance, status, desired, code, released, definition, key]


def events() -> list[list[Any]]:
    """The log: two instances join, both tasks come and go."""
    return [
        instance_event(1, FIRST, 1, connected=0),
        instance_event(2, FIRST, 2),
        instance_event(3, SECOND, 1, connected=0),
        instance_event(4, SECOND, 2),
        task_event(5, ENDED, 1, PENDING),
        task_event(6, ENDED, 2, RUNNING),
        task_event(7, STOPPED, 1, PENDING),
        task_event(8, STOPPED, 2, RUNNING),
        task_event(9, ENDED, 3, OVER, desired=UNWANTED, code=ESSENTIAL, released=1),
        task_event(10, STOPPED, 3, STOPPING, desired=UNWANTED, code=USER),
        task_event(11, STOPPED, 4, OVER, desired=UNWANTED, code=USER, released=1),
    ]


def call(number: int, name: str, at: float, **about: Any) -> Record:
    """A call that was made."""
    return {"at": at, "what": "call", "number": number, "name": name, **about}


def answer(number: int, at: float, **told: Any) -> Record:
    """What it was answered."""
    return {"at": at, "what": "answer", "number": number, **told}


def run(number: int, at: float, task: str, definition: str = "small") -> list[Record]:
    """A RunTask, answered with one task."""
    key = f"key-{task[0]}"
    return [
        call(number, "RunTask", at, key=key, count=1, definition=definition),
        answer(number, at + 0.1, tasks=[task], failures=[], unplaced=0),
    ]


def news(what: str, task: str, instance: str = FIRST, **more: Any) -> Record:
    """What an engine did."""
    return {
        "host": f"host-{instance[0]}",
        "what": what,
        "task": task,
        "container": "main",
        "instance": instance,
        **more,
    }


def intent(task: str, **changes: Any) -> Record:
    """A row of what is wanted."""
    return {
        "task_id": task,
        "instance_id": FIRST,
        "desired_status": WANTED,
        "revision": 1,
        "cpu": 8,
        "memory": 16,
    } | changes


def observation(task: str, revision: int) -> Record:
    """A row of what was seen."""
    return {"task_id": task, "last_status": OVER, "released": 1, "revision": revision}


def rows() -> list[Record]:
    """What is asked at the end."""
    return [
        {"at": 90.0, "what": "intents", "rows": [intent(ENDED), intent(STOPPED, desired_status=UNWANTED, revision=2)]},
        {"at": 90.0, "what": "observations", "rows": [observation(ENDED, 2), observation(STOPPED, 2)]},
        {
            "at": 90.0,
            "what": "instances",
            "rows": [
                {"instance_id": FIRST, "placed": 2, "running": 0, "left_pending": 2},
                {"instance_id": SECOND, "placed": 0, "running": 0, "left_pending": 0},
            ],
        },
        {"at": 90.0, "what": "head", "sequence": 11, "pending_tasks": 0, "running_tasks": 0},
        {
            "at": 89.0,
            "what": "described",
            "rows": [
                {"task_id": ENDED, "version": 3, "status": OVER, "desired": UNWANTED},
                {"task_id": STOPPED, "version": 4, "status": OVER, "desired": UNWANTED},
            ],
        },
        {"at": 90.0, "what": "logged", "events": events()},
        {
            "at": 91.0,
            "what": "containers",
            "news": [
                news("start", ENDED),
                news("start", STOPPED),
                news("die", ENDED, code=0),
                news("die", STOPPED, code=143),
            ],
        },
    ]


def sound() -> list[Record]:
    """A journal in which all is well."""
    small = {"cpu": 8, "memory": 16, "ports": [], "containers": {"main": [8, 16]}}
    return [
        {"at": 0.0, "what": "began", "seed": 1},
        {"at": 0.1, "what": "needs", "definition": "small:1", **small},
        {"at": 0.1, "what": "needs", "definition": "porter:1", **small, "ports": [8080]},
        {"at": 0.2, "what": "capacity", "cpu": 33, "memory": 68},
        {"at": 0.3, "what": "watch", "watcher": "of all", "family": ""},
        {"at": 0.3, "what": "watch", "watcher": "of one family", "family": "small"},
        *run(1, 1.0, ENDED),
        *run(2, 2.0, STOPPED),
        call(3, "DescribeTasks", 2.2, asked=[STOPPED]),
        answer(3, 2.3, known=[[STOPPED, WANTED]]),
        call(4, "StopTask", 3.0, task=STOPPED),
        answer(4, 3.1),
        call(5, "DescribeTasks", 3.2, asked=[STOPPED], stopped=True),
        answer(5, 3.3, known=[[STOPPED, UNWANTED]]),
        {"at": 4.0, "what": "watched", "watcher": "of all", "events": events()[:6]},
        {"at": 5.0, "what": "watched", "watcher": "of all", "events": events()[6:]},
        {"at": 5.0, "what": "watched", "watcher": "of one family", "events": events()[4:]},
        {"at": 5.5, "what": "due", "sequence": 11},
        {"at": 6.0, "what": "blow", "strike": 0, "fault": "leader-kill", "hold": 1.0},
        {"at": 8.0, "what": "recovered", "strike": 0, "faults": ["leader-kill"], "accepted": 0.5, "took": 1.0},
        *rows(),
        {"at": 92.0, "what": "over"},
        {"at": 93.0, "what": "ended", "service": "fleet", "code": 0, "told": True, "said": ""},
        {"at": 94.0, "what": "left", "found": {}},
    ]
