"""Real PostgreSQL, Redis and Docker for the tests: one way, used by every test that needs one.

Ask for a fixture by name; nothing is imported (tests/conftest.py makes them known everywhere). Servers are the
distribution's packages, started once per test run on a free loopback port in a temporary folder, and end with it,
also when the run is killed. What is missing skips the test with the reason, and fails it when ``CI=true``.

=====================  ===========================================================================================
fixture                gives
=====================  ===========================================================================================
``postgres_url``       URL of an empty database of this test's own; dropped afterwards
``postgres``           the :class:`~tests.engines.postgres.PostgresServer`: ``stop()``, ``start()``, ``restart()``,
                       ``crash()``, ``sql(...)``, ``create_database(prepare=...)``. Running again after
                       the test, whatever the test did to it
``make_postgres``      ``make_postgres(fsync=True)``: a server of this test's own
``redis_url``          URL of an empty Redis database of this test's own. Channels are shared by all databases of
                       a server, so name them by something unique
``redis_server``       the :class:`~tests.engines.redis.RedisServer`: ``stop()``, ``start()``, ``restart()``, ``kill()``,
                       ``pause()``, ``resume()``. Running again after the test
``docker_engine``      the machine's :class:`~tests.engines.docker.DockerEngine` with the image ``busybox`` in it:
                       ``url``, ``docker("run", ...)``, ``remove_labelled(label)``. Others use the same engine: touch
                       only what carries a label of your own
``private_docker``     a :class:`~tests.engines.dockerd.PrivateDockerd` of this test's own, which may be stopped, killed
                       and restarted; with ``busybox`` in it
``free_port``          ``free_port() -> int``: a loopback TCP port nobody listens on, never given twice in a run
=====================  ===========================================================================================

Speed: a database is a copy of a template. Tests that want tables pass the function that makes them, which runs once
per run::

    url = postgres.create_database(prepare=apply_migrations)   # apply_migrations(url) -> None, synchronous

The methods block (they wait for a process), so an async test calls them as ``await asyncio.to_thread(postgres.restart)``
when something must go on meanwhile.

:mod:`tests.engines.labels` gives labels for containers, :mod:`tests.engines.waiting` a bounded wait for what cannot tell.

Tests are marked by their folder (``unit``, ``property``, ``rpc``, ``integration``, ``e2e``) and by the fixtures they use
(``postgres``, ``redis``, ``docker``); nobody marks by hand.
"""
