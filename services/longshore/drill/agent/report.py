"""What a drill tells at its end: recovery times by fault, and every finding. Pure."""

import statistics
from collections import Counter
from typing import Any

from longshore.drill import judgement
from longshore.drill.agent import history


def document(found: history.History, findings: list[judgement.Finding], **about: Any) -> dict[str, Any]:
    """The whole outcome, for programs."""
    return {
        **about,
        "passed": not findings,
        "tasks": dict(sorted(Counter(task.kind.name for task in found.tasks.values()).items())),
        "ends": dict(sorted(Counter(_end(task) for task in found.tasks.values()).items())),
        "faults": dict(sorted(Counter(blow.fault for blow in found.blows).items())),
        "recovery": recoveries(found),
        "findings": [{"rule": item.rule, "subject": item.subject, "story": item.story} for item in findings],
    }


def recoveries(found: history.History) -> list[dict[str, Any]]:
    """Seconds from the end of a fault until a new task has run: how often, median and worst."""
    by_faults: dict[str, list[float]] = {}
    for record in found.recovered:
        # Two at once are a line of their own: what they cost says nothing of either.
        name = record["faults"][0] if len(record["faults"]) == 1 else "two at once"
        by_faults.setdefault(name, []).append(record["took"])
    return [
        {"fault": name, "times": len(took), "median": round(statistics.median(took), 2), "worst": round(max(took), 2)}
        for name, took in sorted(by_faults.items())
    ]


def text(outcome: dict[str, Any]) -> str:
    """The outcome for a person."""
    width = max((len(row["fault"]) for row in outcome["recovery"]), default=0) + 2
    lines = [f"{'fault':<{width}}{'times':>6}{'median s':>10}{'worst s':>10}"]
    lines += [
        f"{row['fault']:<{width}}{row['times']:>6}{row['median']:>10.2f}{row['worst']:>10.2f}"
        for row in outcome["recovery"]
    ]
    lines += ["", f"{sum(outcome['tasks'].values())} tasks, {sum(outcome['faults'].values())} faults."]
    for item in outcome["findings"]:
        lines.append(f"{item['rule']}: {item['subject']}: {item['story']}")
    lines.append("Passed." if outcome["passed"] else f"FAILED: {len(outcome['findings'])} findings.")
    return "\n".join(lines)


def _end(task: history.Task) -> str:
    return task.last.stop_code if task.last and task.last.stop_code else "none"
