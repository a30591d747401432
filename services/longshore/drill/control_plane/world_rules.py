"""Rules about the control plane as a whole: that it works again after each fault, lives, and leaves nothing. Pure."""

from longshore.drill import judgement
from longshore.drill.control_plane import history

_NOT_OURS = {"database", "events"}
"""PostgreSQL and Redis, of which a start may fail while what was killed is not quite gone."""

_NO_DATABASE = "the database cannot be used now"
"""Why a component may end at its start, with status 1: whoever keeps it running starts it again."""


def recovers(found: history.History) -> judgement.Breaches:
    """After each fault a task is placed and runs within the bound."""
    for record in found.not_recovered:
        faults = " + ".join(record["faults"])
        yield f"strike {record['strike']}", f"after {faults} no task was placed and ran for {record['bound']:.0f} s"


def processes_live(found: history.History) -> judgement.Breaches:
    """No component and no agent ends unless it is told to, or finds no database at its start."""
    for record in found.ends:
        excused = record["service"] in _NOT_OURS or (record["code"] == 1 and _NO_DATABASE in record["said"])
        if not record["told"] and not excused:
            yield record["service"], f"ended by itself at {record['at']:.1f} s with {record['code']}: {record['said']}"


def nothing_left(found: history.History) -> judgement.Breaches:
    """Nothing of the drill is there when it is over."""
    for kind, names in found.left.items():
        yield kind, f"left on the host: {', '.join(names)}"
