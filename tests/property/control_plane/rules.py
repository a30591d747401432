"""The rules of the protocol that a mutation takes away, one at a time, to see that the model misses it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rules:
    """All of them hold in Longshore."""

    commit_checks_epoch: bool = True
    """A commit goes through only under the epoch that rules."""
    commit_locks_lease: bool = True
    """It holds the lease's row, so that nobody takes over between its check and its end."""
    reload_waits: bool = True
    """Who does not know what became of its commit waits for it before it reads the tables again."""
    commit_checks_membership: bool = True
    """It looks again at the instances that have changed since the decision."""
    commit_locks_membership: bool = True
    """It holds the membership's row, so that no instance leaves between its look and its end."""
    token_in_commit: bool = True
    """The answer under a token is written by the commit that acts."""
    revision_in_commit: bool = True
    """The assignment's revision is raised by the commit that places or stops."""
    publish_after_commit: bool = True
    """Nobody hears of an assignment before it is committed."""
    report_checks_epoch: bool = True
    """A report is recorded only under the session's current epoch."""
    hello_raises_epoch: bool = True
    """A new session ends what an older one may still say."""
    given_up_stays_counted: bool = True
    """What a lost host ran is released by its agent alone."""
    given_up_gets_full_set: bool = True
    """A host that was given up is told what it is to stop."""
    gap_is_read: bool = True
    """A tracker that has missed a publication reads the tables."""
