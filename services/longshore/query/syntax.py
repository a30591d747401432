"""An expression of the cluster query language as a tree, and what can be wrong with a text that should be one."""

import enum
from dataclasses import dataclass
from typing import TypeAlias


class QueryError(ValueError):
    """A text that is no expression. `column` counts from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"{message} (column {column})")
        self.column = column


class Operator(enum.Enum):
    """How a subject is tested."""

    EQUALS = "=="
    NOT_EQUALS = "!="
    GREATER = ">"
    GREATER_EQUAL = ">="
    LESS = "<"
    LESS_EQUAL = "<="
    MATCHES = "=~"
    NOT_MATCHES = "!~"
    IN = "in"
    NOT_IN = "!in"
    EXISTS = "exists"
    NOT_EXISTS = "!exists"


class Subject(enum.Enum):
    """What of an instance is tested."""

    AGENT_CONNECTED = "agentConnected"
    AGENT_VERSION = "agentVersion"
    EC2_INSTANCE_ID = "ec2InstanceId"
    REGISTERED_AT = "registeredAt"
    RUNNING_TASKS_COUNT = "runningTasksCount"
    ATTRIBUTE = "attribute"
    TASK_GROUP = "task:group"


@dataclass(frozen=True, slots=True)
class Word:
    """A value as it was written, without its quotes."""

    text: str
    column: int


@dataclass(frozen=True, slots=True)
class Simple:
    """One test. `name`: the attribute's, empty for other subjects."""

    subject: Subject
    name: str
    operator: Operator
    values: tuple[Word, ...]
    column: int


@dataclass(frozen=True, slots=True)
class Not:
    """What does not hold."""

    part: "Expression"


@dataclass(frozen=True, slots=True)
class And:
    """All of it holds."""

    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Some of it holds."""

    parts: tuple["Expression", ...]


Expression: TypeAlias = Simple | Not | And | Or
