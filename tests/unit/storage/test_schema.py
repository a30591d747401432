import pytest

from longshore.storage import errors, schema

FILES = {"0001_first.sql": "A {text};", "0002_second.sql": "B;", "0002_second.postgresql.sql": "C {bytes};"}


def applied(*migrations: schema.Migration) -> list[schema.Applied]:
    return [schema.Applied(m.number, m.name, m.hash) for m in migrations]


def numbered(count: int) -> list[schema.Migration]:
    return schema.parse({f"{n:04}_m.sql": f"{n};" for n in range(1, count + 1)}, "sqlite")


def test_files_are_ordered_and_rendered_for_their_engine() -> None:
    assert [(m.number, m.name, m.sql) for m in schema.parse(FILES, "postgresql")] == [
        (1, "first", 'A TEXT COLLATE "C";'),
        (2, "second", "C BYTEA;"),
    ]
    assert [m.sql for m in schema.parse(FILES, "sqlite")] == ["A TEXT;", "B;"]


def test_the_hash_is_of_the_file_not_of_what_an_engine_makes_of_it() -> None:
    assert schema.parse(FILES, "postgresql")[0].hash == schema.parse(FILES, "sqlite")[0].hash


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"0001_a.sql": "", "0003_c.sql": ""}, "without gaps"),
        ({"0002_a.sql": ""}, "without gaps"),
        ({"0001_a.sql": "", "0001_b.sql": ""}, "two names"),
        ({"first.sql": ""}, "NNNN_name"),
        ({"0001_a.mysql.sql": ""}, "NNNN_name"),
    ],
)
def test_files_out_of_order_are_refused(files: dict[str, str], message: str) -> None:
    with pytest.raises(errors.SchemaMismatch, match=message):
        schema.parse(files, "sqlite")


def test_what_is_missing_is_pending() -> None:
    known = numbered(3)
    assert schema.pending(known, []) == known
    assert schema.pending(known, applied(*known[:2])) == known[2:]
    assert schema.pending(known, applied(*known)) == []


def test_a_release_runs_on_a_schema_one_ahead_and_no_further() -> None:
    newer = numbered(4)
    assert schema.pending(newer[:3], applied(*newer)) == []
    with pytest.raises(errors.SchemaMismatch, match=r"schema is 4, this release knows 2.*upgrade"):
        schema.pending(newer[:2], applied(*newer))


def test_a_file_changed_after_it_was_applied_is_refused() -> None:
    known = numbered(2)
    changed = [schema.Applied(1, "m", "other"), *applied(known[1])]
    with pytest.raises(errors.SchemaMismatch, match="0001_m was changed"):
        schema.pending(known, changed)


def test_a_hole_in_what_was_applied_is_refused() -> None:
    known = numbered(3)
    with pytest.raises(errors.SchemaMismatch, match="0001_m is missing"):
        schema.pending(known, applied(*known[1:]))


def test_a_script_is_split_at_its_statements_alone() -> None:
    script = """
    -- a comment; with a semicolon
    CREATE TABLE t (a TEXT DEFAULT ';');
    CREATE TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM t; SELECT 1; END;
    """
    first, second = schema.statements(script)
    assert first.endswith("CREATE TABLE t (a TEXT DEFAULT ';');")
    assert second.startswith("CREATE TRIGGER")
    assert second.endswith("END;")


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_the_migrations_of_this_release_are_complete_for_each_engine(engine: str) -> None:
    for migration in schema.load(engine):
        assert "{" not in migration.sql
        assert list(schema.statements(migration.sql))
