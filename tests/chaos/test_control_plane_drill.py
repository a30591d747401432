"""`longshore drill control-plane`, short: kills, pauses, crashes, cuts, losses and wrong clocks, nothing found, and nothing left behind."""

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from longshore.drill import on_host
from longshore.drill.control_plane import checks, history, plan, servers
from tests.engines.missing import missing

SEED = 1
FAULTS = (
    plan.Fault.LEADER_KILL,
    plan.Fault.LEADER_PAUSE,
    plan.Fault.TRACKER_KILL,
    plan.Fault.DATABASE_CRASH,
    plan.Fault.EVENTS_LOST,
    plan.Fault.LINE_CUT,
    plan.Fault.LINE_DEAF,
    plan.Fault.CLOCK_OFF,
)
Record = dict[str, Any]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_short_drill_finds_nothing_and_its_journal_can_be_found_fault_with(tmp_path: Path) -> None:
    if absent := servers.absent():
        missing(f"a drill needs {', '.join(absent)}")
    flags = ["--minutes=0.1", "--instances=10", "--pause=1.5", "--rate=10", f"--faults={','.join(FAULTS)}"]
    command = [sys.executable, "-m", "longshore.cli", "drill", "control-plane", *flags]
    command += [f"--seed={SEED}", "--output=json", f"--record={tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["faults"].keys() == {fault.value for fault in FAULTS}
    assert outcome["tasks"] > 0
    assert outcome["started"] > 0
    assert outcome["recovery"]
    records = [json.loads(line) for line in (tmp_path / "journal.jsonl").read_text().splitlines()]
    world = next(record for record in records if record["what"] == "world")
    assert on_host.found(Path(world["home"])) == {}
    assert checks.judge(history.of(records)) == []
    for tampered, rule in (
        (doubled_start(records), "nothing is run twice"),
        (untold_event(records), "each watch is complete and in order"),
        (forgotten_task(records), "no acknowledged task is lost"),
        (smaller_instance(records), "no instance is over-committed"),
    ):
        assert rule in {finding.rule for finding in checks.judge(history.of(tampered))}


def doubled_start(records: list[Record]) -> list[Record]:
    """An engine has started a container again."""
    changed = copy.deepcopy(records)
    told = next(record for record in changed if record["what"] == "containers")["news"]
    told.append(next(news for news in told if news["what"] == "start"))
    return changed


def untold_event(records: list[Record]) -> list[Record]:
    """A watcher was not told an event."""
    changed = copy.deepcopy(records)
    watched = [record for record in changed if record["what"] == "watched"]
    watched[len(watched) // 2]["events"].pop()
    return changed


def forgotten_task(records: list[Record]) -> list[Record]:
    """A task that was answered is in no table."""
    changed = copy.deepcopy(records)
    lost = next(record["tasks"][0] for record in changed if record["what"] == "answer" and record.get("tasks"))
    for record in changed:
        if record["what"] == "intents":
            record["rows"] = [row for row in record["rows"] if row["task_id"] != lost]
    return changed


def smaller_instance(records: list[Record]) -> list[Record]:
    """The instances have less than was placed on them."""
    changed = copy.deepcopy(records)
    next(record for record in changed if record["what"] == "capacity")["cpu"] = 7
    return changed
