"""Each statement goes by the index that was made for it; else it walks a table of a million jobs."""

import sqlite3

import pytest

from greenroom.stores._rows import sql

BY_ID = "SEARCH job USING INTEGER PRIMARY KEY"
CRASHED = "SEARCH job USING INDEX job_crashed"


def of_rows(verb, columns):
    row = f"({', '.join('?' * columns)})"
    return sql(verb).replace("{rows}", f"{row}, {row}, {row}")


class Anything(dict):
    """A value for every parameter."""

    def __missing__(self, name):
        return 0


@pytest.fixture
def connection():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(sql("schema"))
    yield connection
    connection.close()


@pytest.mark.parametrize(
    ("statement", "ways"),
    [
        pytest.param(sql("claim"), [BY_ID, "SEARCH job USING INDEX job_ready (lane=?)"], id="claim"),
        pytest.param(sql("claim_suspect"), [BY_ID, CRASHED + " (state=? AND run_after<?)"], id="claim_suspect"),
        pytest.param(sql("next_suspect"), [CRASHED + " (state=?)"], id="next_suspect"),
        pytest.param(sql("find_crashed"), ["SCAN job USING INDEX job_crashed"], id="find_crashed"),
        pytest.param(sql("promote"), [BY_ID, "SEARCH job USING INDEX job_scheduled (run_after<?)"], id="promote"),
        pytest.param(sql("next_due"), ["SCAN job USING INDEX job_scheduled"], id="next_due"),
        pytest.param(sql("expired"), ["SCAN job USING INDEX job_running"], id="expired"),
        pytest.param(sql("bury"), ["SEARCH job USING INDEX job_running (worker=?)"], id="bury"),
        pytest.param(of_rows("swap", 19), [BY_ID], id="swap"),
        pytest.param(of_rows("write", 7), [BY_ID.replace("job", "stored")], id="write"),
        pytest.param(sql("find"), [BY_ID], id="find"),
        pytest.param(sql("prunable"), [BY_ID], id="prunable"),
        pytest.param(sql("prune"), [BY_ID], id="prune"),
        pytest.param("SELECT * FROM job WHERE id = ?", [BY_ID], id="get"),
    ],
)
def test_a_statement_goes_by_its_index(connection, statement, ways):
    steps = plan(connection, statement)
    on_jobs = [step for step in steps if " job" in step or " stored" in step]
    assert len(on_jobs) == len(ways), steps
    assert all(step.startswith(way) for step, way in zip(on_jobs, ways, strict=True)), steps


@pytest.mark.parametrize(
    "verb", ["claim", "claim_suspect", "next_due", "next_suspect", "promote", "find", "prunable"]
)
def test_a_statement_does_not_sort_what_it_can_stop_reading(connection, verb):
    assert not [step for step in plan(connection, sql(verb)) if "TEMP B-TREE" in step]


def plan(connection, statement):
    explained = f"EXPLAIN QUERY PLAN {statement.replace('?', '0')}"
    return [row[3] for row in connection.execute(explained, Anything())]
