"""State-tracker: what is. Container instances, agents' sessions, the observation half of tasks, and everybody who watches."""
