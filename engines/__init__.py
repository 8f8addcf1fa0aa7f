"""Where the tasks of `training.tasks` are performed: in a child process, or on the machines of a Ray cluster.

An engine has one method, `run(task, on_event, should_stop)`. The caller stores what the events bring, so that
the database stays in one process. A task may be performed twice if a machine is lost, but each answer is
passed on once.

1. `engine`: the protocol, the engine for one machine, and the choice between them.
2. `ray_engine`: the engine for a cluster. Only this module knows Ray.
"""
