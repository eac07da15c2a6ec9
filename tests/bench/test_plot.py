"""The picture and the table of latencies tell the same, of every contender."""

from xml.etree import ElementTree

from benchmarks.latency import as_table, latencies_in, side_of
from benchmarks.plot import as_svg

ROUNDS = [
    {
        side_of("idle", "no tasks"): {"p50": 0.001, "p99": 0.002, "p999": 0.003, "max": 0.004},
        side_of("us & them", "1 CPU task"): {"p50": 0.001, "p99": 0.006, "p999": 2.0, "max": 2.0},
        "a side without latencies": {"rate": 1.0},
    }
]
for figures in ROUNDS[0].values():
    figures |= {"requests": 400, "unanswered": 2 * (figures.get("max") == 2.0)}


def test_a_contender_is_compared_with_no_tasks_and_a_bound_is_marked():
    _, _, idle, loaded = as_table(latencies_in(ROUNDS)).splitlines()
    assert idle.split()[-1] == "1x"
    assert ">2,000 ms  >2,000 ms  3x" in loaded
    assert "2 of 400" in loaded


def test_the_picture_is_well_formed_and_names_every_contender():
    svg = ElementTree.fromstring(as_svg(latencies_in(ROUNDS), "a machine <of> ours"))
    texts = ["".join(node.itertext()) for node in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert {"idle", "us & them", "1 CPU task", "a machine <of> ours", "2 of 400 without an answer"} <= set(texts)


def test_medians_are_taken_over_rounds():
    other = {side: {key: value * 3 for key, value in figures.items()} for side, figures in ROUNDS[0].items()}
    latency, _ = latencies_in([*ROUNDS, other, other])
    assert latency.p50 == 0.003
