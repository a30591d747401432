"""What a control plane's drill tells at its end. Pure."""

import itertools
import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any

from longshore.drill import judgement
from longshore.drill.control_plane import history


def document(found: history.History, findings: Sequence[judgement.Finding], **about: Any) -> dict[str, Any]:
    """The whole outcome, for programs."""
    outcomes = Counter((call.name, call.outcome or "none") for call in found.calls.values())
    return {
        **about,
        "passed": not findings,
        "faults": dict(sorted(Counter(blow["fault"] for blow in found.blows).items())),
        "calls": {f"{name}: {outcome}": times for (name, outcome), times in sorted(outcomes.items())},
        "tasks": len(found.tasks),
        "events": len(found.log),
        "started": sum(news["what"] == "start" for news in found.containers),
        "longest_without_a_task_s": _longest_gap(found),
        "drill_late_s": max((record["seconds"] for record in found.late), default=0.0),
        "recovery": _recoveries(found),
        "findings": [{"rule": item.rule, "subject": item.subject, "story": item.story} for item in findings],
    }


def _longest_gap(found: history.History) -> float:
    """The longest time in which no call was answered with a task."""
    times = sorted(call.ended_at for call in found.calls.values() if call.told.get("tasks"))
    return round(max((after - before for before, after in itertools.pairwise(times)), default=0.0), 1)


def _recoveries(found: history.History) -> list[dict[str, Any]]:
    """Seconds from the end of a fault until a task is accepted, and until it runs."""
    by_faults: dict[str, list[history.Record]] = {}
    for record in found.recovered:
        # Two at once are a line of their own: what they cost says nothing of either.
        name = record["faults"][0] if len(record["faults"]) == 1 else "two at once"
        by_faults.setdefault(name, []).append(record)
    return [
        {
            "fault": name,
            "times": len(records),
            "accepted": round(statistics.median(record["accepted"] for record in records), 2),
            "median": round(statistics.median(record["took"] for record in records), 2),
            "worst": round(max(record["took"] for record in records), 2),
        }
        for name, records in sorted(by_faults.items())
    ]


def text(outcome: dict[str, Any]) -> str:
    """The outcome for a person."""
    width = max((len(row["fault"]) for row in outcome["recovery"]), default=0) + 2
    lines = [f"{'fault':<{width}}{'times':>6}{'accepted s':>12}{'running s':>11}{'worst s':>9}"]
    lines += [
        f"{row['fault']:<{width}}{row['times']:>6}{row['accepted']:>12.2f}{row['median']:>11.2f}{row['worst']:>9.2f}"
        for row in outcome["recovery"]
    ]
    faults, calls = sum(outcome["faults"].values()), sum(outcome["calls"].values())
    lines += [
        "",
        f"{faults} faults, {calls} calls, {outcome['tasks']} tasks, {outcome['events']} events.",
        f"The longest time without a task accepted was {outcome['longest_without_a_task_s']} s"
        + (f"; the drill itself was late by up to {outcome['drill_late_s']} s." if outcome["drill_late_s"] else "."),
    ]
    lines += [f"{item['rule']}: {item['subject']}: {item['story']}" for item in outcome["findings"]]
    lines.append("Passed." if outcome["passed"] else f"FAILED: {len(outcome['findings'])} findings.")
    return "\n".join(lines)
