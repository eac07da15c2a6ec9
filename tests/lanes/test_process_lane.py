import labours


def test_a_task_runs_in_another_process(run):
    import os

    result = run(labours.pid)
    assert not result.errors, result.errors
    assert result.return_value != os.getpid()
