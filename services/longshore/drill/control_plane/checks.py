"""The judgement of a control plane's drill: what its history shows that must not be. Pure."""

from longshore.drill import judgement
from longshore.drill.control_plane import call_rules, history, host_rules, log_rules, placing_rules, world_rules

RULES: judgement.Rules[history.History] = {
    "no acknowledged task is lost": call_rules.acknowledged_tasks_exist,
    "a call acts once": call_rules.calls_act_once,
    "an answer binds every later call": call_rules.answers_bind,
    "no acknowledged stop is lost": call_rules.stops_are_kept,
    "refusals are explained": call_rules.refusals_are_explained,
    "the log has no gap": log_rules.log_is_gapless,
    "each watch is complete and in order": log_rules.watches_are_complete,
    "versions grow by one": log_rules.versions_grow_by_one,
    "every move is legal": log_rules.moves_are_legal,
    "tables, descriptions and log agree": log_rules.tables_agree,
    "counters agree with the rows": log_rules.counters_agree,
    "no instance is over-committed": placing_rules.nothing_overcommitted,
    "tasks are placed where they may be": placing_rules.placed_where_it_may_be,
    "what is reserved is what is defined": placing_rules.reserved_as_defined,
    "nothing is run twice": host_rules.nothing_run_twice,
    "what is told to run, runs": host_rules.running_is_true,
    "no host is over-committed": host_rules.hosts_not_overcommitted,
    "every end is explained": host_rules.ends_are_explained,
    "the control plane recovers": world_rules.recovers,
    "no process ends by itself": world_rules.processes_live,
    "nothing is left": world_rules.nothing_left,
}


def judge(found: history.History) -> list[judgement.Finding]:
    """Every breach of every rule."""
    return judgement.judge(RULES, found)
