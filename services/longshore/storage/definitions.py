"""Task definitions as rows, for the components that do not own them, and a cache of their parsed bodies. Read-only."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from longshore.storage import steps
from longshore.storage.database import Database
from longshore.storage.dialect import Dialect
from longshore.v1 import task_definition_pb2

# Memory of one process's cache, in serialised bytes (parsed they take a few times as much): thousands of usual definitions.
CACHE_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Name of one revision. Never given to another, also when it was deleted."""

    family: str
    revision: int


@dataclass(frozen=True, slots=True)
class Definition:
    """A row of `task_definitions`."""

    family: str
    revision: int
    status: task_definition_pb2.TaskDefinitionStatus.ValueType
    registered_at: int
    deregistered_at: int | None
    delete_requested_at: int | None
    body: bytes
    tags: bytes

    @property
    def key(self) -> Key:
        """Its family and revision."""
        return Key(self.family, self.revision)

    @property
    def active(self) -> bool:
        """Whether new tasks may be made of it."""
        return self.status == task_definition_pb2.TASK_DEFINITION_STATUS_ACTIVE


_COLUMNS = "family, revision, status, registered_at, deregistered_at, delete_requested_at, body, tags"


def by_revision(key: Key) -> steps.Step[Definition | None]:
    """One revision, whatever its status; None where there is none, or none any more."""
    row = yield from steps.fetch_row(
        f"SELECT {_COLUMNS} FROM task_definitions WHERE family = $1 AND revision = $2",  # noqa: S608 - names from above
        key.family,
        key.revision,
    )
    return Definition(*row) if row is not None else None


def by_revisions(dialect: Dialect, keys: Iterable[Key]) -> steps.Step[dict[Key, Definition]]:
    """Several revisions, one statement per family; unknown ones are left out."""
    found: dict[Key, Definition] = {}
    for family, revisions in _by_family(keys).items():
        rows = yield from steps.fetch(
            f"SELECT {_COLUMNS} FROM task_definitions WHERE family = $1 AND {dialect.member('revision', 2, 'bigint')}",  # noqa: S608 - from above
            family,
            revisions,
        )
        found.update({Key(row["family"], row["revision"]): Definition(*row) for row in rows})
    return found


def statuses(
    dialect: Dialect, keys: Iterable[Key], *, locked: bool
) -> steps.Step[dict[Key, task_definition_pb2.TaskDefinitionStatus.ValueType]]:
    """Status of each revision; unknown ones are left out. `locked`: under a share lock, so that it holds at the commit."""
    found: dict[Key, task_definition_pb2.TaskDefinitionStatus.ValueType] = {}
    lock = dialect.share_lock if locked else ""
    for family, revisions in _by_family(keys).items():
        rows = yield from steps.fetch(
            "SELECT revision, status FROM task_definitions"  # noqa: S608 - the dialect's own
            f" WHERE family = $1 AND {dialect.member('revision', 2, 'bigint')} ORDER BY revision {lock}",
            family,
            revisions,
        )
        found.update({Key(family, row["revision"]): row["status"] for row in rows})
    return found


def latest_active(family: str) -> steps.Step[Key | None]:
    """The newest ACTIVE revision of a family; None where it has none."""
    revision = yield from steps.fetch_value(
        "SELECT latest_active FROM task_definition_families WHERE family = $1 AND latest_active > 0", family
    )
    return Key(family, revision) if revision is not None else None


def _by_family(keys: Iterable[Key]) -> Mapping[str, list[int]]:
    # In order, as rows are locked: by family, then by revision.
    families: dict[str, list[int]] = {}
    for key in sorted(set(keys)):
        families.setdefault(key.family, []).append(key.revision)
    return families


class Bodies:
    """Parsed bodies by revision, the least recently used dropped first. Bodies never change, so nothing goes stale.

    What it gives is shared: callers must not change it. Status and tags do change and are not in it.
    """

    def __init__(self, *, capacity: int = CACHE_BYTES) -> None:
        """`capacity` is in serialised bytes."""
        self._capacity = capacity
        self._size = 0
        self._entries: OrderedDict[Key, tuple[task_definition_pb2.TaskDefinition, int]] = OrderedDict()

    def get(self, key: Key) -> task_definition_pb2.TaskDefinition | None:
        """The body, where it is held."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def remember(self, definition: Definition) -> task_definition_pb2.TaskDefinition:
        """The body of a row that was read, parsed once and held."""
        held = self.get(definition.key)
        if held is not None:
            return held
        body = task_definition_pb2.TaskDefinition.FromString(definition.body)
        if len(definition.body) <= self._capacity:
            self._entries[definition.key] = (body, len(definition.body))
            self._size += len(definition.body)
        while self._size > self._capacity:
            _, (_, size) = self._entries.popitem(last=False)
            self._size -= size
        return body

    async def load(self, database: Database, keys: Iterable[Key]) -> dict[Key, task_definition_pb2.TaskDefinition]:
        """The bodies of several revisions, those not held read in one go; unknown ones are left out."""
        wanted = set(keys)
        found = {key: body for key in wanted if (body := self.get(key)) is not None}
        missing = wanted - found.keys()
        if missing:
            rows = await database.read(lambda dialect: by_revisions(dialect, missing))
            found.update({key: self.remember(definition) for key, definition in rows.items()})
        return found
