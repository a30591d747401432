"""What storage can answer instead of a result.

`Unavailable` and its kind reach clients as UNAVAILABLE. `Conflict` is for the caller to turn into what it means there.
"""

from longshore.rpc import errors


class Unavailable(errors.Unavailable):
    """The database could not do it now: connection lost, pool exhausted, lock or statement timeout. Nothing was committed."""


class CommitUnknown(Unavailable):
    """The connection was lost, or time ran out, after COMMIT was sent: the transaction has happened or it has not.

    Nothing here can tell which, so the engine does not run it again. A caller whose work is idempotent (a report with its
    number, a request under a client token, an update that names the revision it expects) runs it again; any other caller
    passes UNAVAILABLE on and leaves the retry to whoever holds the token. State that is kept in memory beside the
    database must be read again before it is used.
    """


class Conflict(Exception):  # noqa: N818 - the name of the outcome; every caller handles it by name
    """A unique key is taken. `table` names where, as far as the engine says."""

    def __init__(self, message: str, *, table: str = "") -> None:
        super().__init__(message)
        self.table = table


class CursorPruned(Exception):  # noqa: N818 - see Conflict
    """Events after the cursor were pruned. `oldest` is the lowest cursor that can still be read after."""

    def __init__(self, *, cluster: str, cursor: int, oldest: int) -> None:
        super().__init__(
            f"events of cluster {cluster} after {cursor} were pruned; the oldest cursor that can be read is {oldest}"
        )
        self.cluster = cluster
        self.cursor = cursor
        self.oldest = oldest


class LogRewound(Exception):  # noqa: N818 - see Conflict
    """The log ends before an event that was already seen: the database was restored from an older copy. Start anew."""

    def __init__(self, *, cluster: str, position: int, head: int) -> None:
        super().__init__(
            f"the log of cluster {cluster} ends at {head}, before event {position} that was already read from it"
        )
        self.cluster = cluster
        self.position = position
        self.head = head


class NoLog(Exception):  # noqa: N818 - see Conflict
    """The cluster has no log: it was never created."""

    def __init__(self, cluster: str) -> None:
        super().__init__(f"cluster {cluster} has no event log")
        self.cluster = cluster


class SchemaMismatch(Exception):  # noqa: N818 - see Conflict
    """The database's schema is not one that this release can run on. The message says what to do."""


class StateInUse(Exception):  # noqa: N818 - see Conflict
    """Another process holds the SQLite database. `pid` is the holder's, or None where it could not be read."""

    def __init__(self, path: str, pid: int | None) -> None:
        holder = f"process {pid}" if pid is not None else "another process"
        super().__init__(f"{path} is in use by {holder}; stop it, or choose another state folder")
        self.path = path
        self.pid = pid
