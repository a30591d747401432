"""The judgement: what a drill's history shows that must not be. Pure.

Each check is a rule of its own over the whole history, and tells each breach of it as a story. What a fault may do is in
`explanations`; what it may not, it must not have done.
"""

from longshore.drill import judgement
from longshore.drill.agent import end_rules, history, host_rules, log_rules

RULES: judgement.Rules[history.History] = {
    "the log has no gap": log_rules.log_gapless,
    "versions grow by one": log_rules.versions_grow_by_one,
    "every move is legal": log_rules.moves_are_legal,
    "no task is lost": log_rules.none_lost,
    "descriptions agree with events": log_rules.descriptions_agree,
    "every end is explained": end_rules.ends_are_explained,
    "exit codes are those of the processes": end_rules.exit_codes_are_right,
    "ends are told soon": end_rules.ends_told_soon,
    "output is whole": host_rules.output_whole,
    "what nothing touched ends as promised": end_rules.undisturbed_as_promised,
    "nothing is run twice": host_rules.none_run_twice,
    "nothing is over-committed": host_rules.nothing_overcommitted,
    "no port is given twice": host_rules.ports_given_once,
    "nothing is left on the host": host_rules.nothing_left,
    "refusals are explained": host_rules.refusals_are_explained,
    "the agent does not end by itself": host_rules.agent_lives,
}


def judge(found: history.History) -> list[judgement.Finding]:
    """Every breach of every rule."""
    return judgement.judge(RULES, found)
