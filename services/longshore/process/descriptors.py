"""Open files that the process may have: every connection is one, and the usual limit is half of what we serve."""

import resource

import structlog

_log = structlog.get_logger(__name__)

SPARE = 512
"""What the process has open besides: the control plane's own connections, a database, logs."""


MANY = 65_536
"""What our systemd units allow: ten thousand agents several times over."""


def raised(soft: int, hard: int, needed: int) -> int:
    """The soft limit to set, which a process may raise up to the hard one. Pure."""
    unlimited = resource.RLIM_INFINITY
    if soft == unlimited or soft >= needed:
        return soft
    return needed if hard == unlimited else min(hard, needed)


def allow(connections: int) -> None:
    """See that there can be so many connections; where the hard limit is below that, say so and go on."""
    needed = connections + SPARE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = raised(soft, hard, needed)
    if wanted != soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if wanted != resource.RLIM_INFINITY and wanted < needed:
        _log.warning("open_files_limited", limit=wanted, needed=needed)


def allow_many() -> None:
    """Have as many as a component may ever need, if the system lets it: agents and callers are not counted beforehand."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = raised(soft, hard, MANY)
    if wanted != soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
