"""The task definitions of a drill's load, and what each takes. Pure."""

from typing import Any

_PORT = 8080

CPU, MEMORY = 33, 68
"""Of an instance: one to four tasks of the kinds that there are, and one probe."""


def _container(name: str, cpu: int, memory: int, **members: Any) -> dict[str, Any]:
    return {"name": name, "image": "drill:1", "cpu": cpu, "memory": memory, "essential": True} | members


DEFINITIONS: dict[str, list[dict[str, Any]]] = {
    "small": [_container("main", 8, 16)],
    "wide": [_container("main", 16, 16)],
    "deep": [_container("main", 8, 32)],
    "large": [_container("main", 32, 64)],
    "porter": [_container("main", 8, 16, portMappings=[{"containerPort": 80, "hostPort": _PORT, "protocol": "tcp"}])],
    "pair": [_container("main", 8, 16), _container("beside", 8, 16, essential=False)],
}
"""Containers of each family. All are multiples of 8 CPU units, so that whatever fills an instance of 33, a probe still fits."""

PROBE = "probe"
PROBE_CONTAINERS = [_container("main", 1, 4)]


def document(family: str, containers: list[dict[str, Any]]) -> dict[str, Any]:
    """A definition as ECS has it."""
    mode = "bridge" if any("portMappings" in container for container in containers) else "none"
    return {"family": family, "networkMode": mode, "containerDefinitions": containers}


def needs(containers: list[dict[str, Any]]) -> dict[str, Any]:
    """What a task of it takes on its instance, and what each of its containers does, as the drill reckons it."""
    return {
        "cpu": sum(container["cpu"] for container in containers),
        "memory": sum(container["memory"] for container in containers),
        "ports": [mapping["hostPort"] for container in containers for mapping in container.get("portMappings", ())],
        "containers": {container["name"]: [container["cpu"], container["memory"]] for container in containers},
    }
