from longshore.storage import definitions
from longshore.v1 import task_definition_pb2


def row(family: str, revision: int, *, padding: int = 0) -> definitions.Definition:
    body = task_definition_pb2.TaskDefinition(family=family, revision=revision, cpu="x" * padding)
    return definitions.Definition(
        family,
        revision,
        task_definition_pb2.TASK_DEFINITION_STATUS_ACTIVE,
        0,
        None,
        None,
        body.SerializeToString(),
        b"",
    )


def test_a_body_is_parsed_once() -> None:
    bodies = definitions.Bodies()
    first = bodies.remember(row("web", 1))
    assert (first.family, first.revision) == ("web", 1)
    assert bodies.remember(row("web", 1)) is first
    assert bodies.get(definitions.Key("web", 1)) is first
    assert bodies.get(definitions.Key("web", 2)) is None


def test_the_least_recently_used_body_goes_first() -> None:
    bodies = definitions.Bodies(capacity=3_500)
    for revision in (1, 2, 3):
        bodies.remember(row("web", revision, padding=1_000))
    bodies.get(definitions.Key("web", 1))
    bodies.remember(row("web", 4, padding=1_000))
    held = [revision for revision in range(1, 5) if bodies.get(definitions.Key("web", revision))]
    assert held == [1, 3, 4]


def test_a_body_larger_than_the_cache_is_given_and_not_held() -> None:
    bodies = definitions.Bodies(capacity=100)
    bodies.remember(row("small", 1))
    assert bodies.remember(row("large", 1, padding=1_000)).family == "large"
    assert bodies.get(definitions.Key("large", 1)) is None
    assert bodies.get(definitions.Key("small", 1)) is not None
