"""An agent that comes back goes on from what it has only where that is a moment of the past of what is stored, whatever was restored."""

from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.scheduler import leadership
from longshore.state_tracker import assignment_tables


@dataclass(frozen=True)
class Stored:
    """What a database says of one instance: its assignment's row, and what each revision added."""

    revision: int = 0
    lineage: int = 0
    base: int = 0
    former: int = 0
    added: dict[int, str] = field(default_factory=dict)

    def place(self, task: str, holder: str, *, knows_lineages: bool) -> "Stored":
        """What the scheduler's commit does (scheduler.commit), or that of the release before."""
        mine = leadership.lineage(holder)
        new = replace(self, revision=self.revision + 1, added=self.added | {self.revision + 1: task})
        if not knows_lineages or mine == self.lineage:
            return new
        return replace(new, lineage=mine, base=self.revision, former=self.lineage if self.revision else 0)


@dataclass
class Agent:
    """What an agent has persisted."""

    revision: int = 0
    lineage: int = 0
    tasks: frozenset[str] = frozenset()
    full_sets: int = 0

    def come(self, stored: Stored) -> None:
        """Open a session: go on, or be sent everything."""
        newest = assignment_tables.Newest(stored.revision, stored.lineage, stored.base, stored.former)
        wanted = assignment_tables.Wanted("i", self.revision, self.lineage)
        if self.revision and newest.knows(wanted):
            self.tasks |= {task for revision, task in stored.added.items() if revision > self.revision}
        else:
            self.tasks = frozenset(stored.added.values())
            self.full_sets += 1
        self.revision, self.lineage = stored.revision, stored.lineage


ACTIONS = st.sampled_from(["place", "place", "come", "another leader", "former leader", "back up", "restore"])


@settings(max_examples=200)
@given(st.lists(ACTIONS, max_size=60))
def test_after_any_story_the_agent_runs_what_is_stored(story: list[str]) -> None:
    stored, agent, backups, processes, leader, tasks = Stored(), Agent(), [Stored()], ["p0"], "p0", 0
    for action in [*story, "come"]:
        match action:
            case "place":
                tasks += 1
                stored = stored.place(f"t{tasks}", leader, knows_lineages=True)
            case "come" if stored.revision:
                agent.come(stored)
                assert agent.tasks == frozenset(stored.added.values())
            case "another leader":
                leader = f"p{len(processes)}"
                processes.append(leader)
            case "former leader":
                leader = processes[-2:][0]
            case "back up":
                backups.append(stored)
            case "restore":
                # As the guide has it, the control plane is stopped meanwhile: no process of before decides after it.
                stored = backups[-1]
                leader = f"p{len(processes)}"
                processes += [leader, leader]
            case _:
                pass


@given(st.lists(st.sampled_from(["place", "come", "another leader"]), max_size=40))
def test_without_a_restore_an_agent_that_follows_is_never_sent_everything_again(story: list[str]) -> None:
    stored, agent, leaders = Stored(), Agent(), 0
    for action in ["place", "come", *story]:
        if action == "place":
            stored = stored.place(f"t{stored.revision}", f"p{leaders}", knows_lineages=True)
            agent.come(stored)
        elif action == "come":
            agent.come(stored)
        else:
            leaders += 1
    assert agent.full_sets == 1


@given(st.lists(st.sampled_from(["place", "place by the release before", "come", "another leader"]), max_size=40))
def test_a_scheduler_of_the_release_before_beside_ours_harms_nothing(story: list[str]) -> None:
    stored, agent, leaders = Stored(), Agent(), 0
    for action in story:
        if action.startswith("place"):
            stored = stored.place(f"t{stored.revision}", f"p{leaders}", knows_lineages=action == "place")
        elif action == "come" and stored.revision:
            agent.come(stored)
            assert agent.tasks == frozenset(stored.added.values())
        else:
            leaders += 1
