import os
import threading

import pytest

from sr_deepfake.experiment.jobs import Job, read_jobs, running, select_jobs
from sr_deepfake.system.errors import MissingWeightsError, UserError

JOB = Job(program="train", overrides=("model=swin", "seed=1"))


def user_error(error):
    return error if isinstance(error, UserError) else None


@pytest.fixture
def outputs(tmp_path):
    return tmp_path / "outputs"


def job_folder(outputs, number=0):
    return outputs / "sweeps" / "2026-01-01" / "10-00-00" / str(number)


def do(outputs, job=JOB, number=0, result="one", **options):
    folder = outputs / "results" / result
    folder.mkdir(parents=True, exist_ok=True)
    with running(job_folder(outputs, number), job, outputs, user_error, **options) as outcome:
        (folder / "metrics.json").write_text("{}")
        outcome.results.append(folder)
    return folder


def states(outputs):
    return [(job.overrides, job.state, job.error) for job in read_jobs(outputs)]


def test_a_job_is_running_then_done_and_outputs_may_be_moved(outputs, tmp_path):
    with running(job_folder(outputs), JOB, outputs, user_error) as outcome:
        (found,) = read_jobs(outputs)
        assert (found.state, found.pid) == ("running", os.getpid())
        outcome.results.append(do(outputs, JOB, 1))
    outputs.rename(tmp_path / "moved")
    (found,) = read_jobs(tmp_path / "moved")
    assert (found.state, found.results) == ("done", ("results/one",))
    assert found.seconds >= 0


def test_a_file_name_that_is_not_utf_8_is_written_as_an_escape(outputs):
    do(outputs, Job(program="attack", overrides=("input=größe\udcff.png",)))
    assert states(outputs) == [((r"input=größe\udcff.png",), "done", "")]


def test_the_newest_job_of_a_command_counts_in_whatever_order_it_was_typed(outputs):
    with pytest.raises(UserError):
        do_failing(outputs, UserError("no faces"))
    do(outputs, Job(program="train", overrides=("seed=1", "model=swin")), number=1)
    of_a_sweep = Job(program="train", overrides=("a=True", "b=False"))
    assert of_a_sweep.command == Job(program="train", overrides=("b=false", "a=true")).command
    do(outputs, Job(program="evaluate", overrides=JOB.overrides), number=2)
    assert [(job.program, job.state) for job in read_jobs(outputs)] == [("train", "done"), ("evaluate", "done")]
    assert len(select_jobs(read_jobs(outputs), ["model=swin"])) == 2
    assert select_jobs(read_jobs(outputs), ["model=xception"]) == []


def test_results_that_were_removed_and_damaged_states_are_missing(outputs, caplog):
    (do(outputs) / "metrics.json").unlink()
    do(outputs, number=1, result="two")
    (job_folder(outputs, 1) / "job.json").write_text("{")
    assert read_jobs(outputs) == []
    assert caplog.text.count("is ignored") == 1


def do_failing(outputs, error, **options):
    with running(job_folder(outputs), JOB, outputs, user_error, **options):
        raise error


def test_a_failed_job_says_why_and_the_error_goes_on(outputs):
    for error, said in (
        (UserError("a\udcff.png: there are no faces"), r"a\udcff.png: there are no faces"),
        (ZeroDivisionError("x"), "ZeroDivisionError: x"),
    ):
        with pytest.raises(type(error)):
            do_failing(outputs, error)
        assert states(outputs) == [(JOB.overrides, "failed", said)]


def test_missing_weights_are_skipped_where_that_was_asked_for(outputs, caplog):
    with pytest.raises(MissingWeightsError):
        do_failing(outputs, MissingWeightsError("no file"))
    do_failing(outputs, MissingWeightsError("no file"), skip_missing_weights=True)
    assert states(outputs) == [(JOB.overrides, "skipped", "no file")]
    assert "Skipped, as evaluate.skip_missing_weights says: no file" in caplog.text


def test_an_error_goes_on_although_its_state_cannot_be_written(outputs, monkeypatch, caplog):
    write = Job.write
    monkeypatch.setattr(Job, "write", lambda job, path: full() if job.state == "failed" else write(job, path))

    def full():
        raise OSError(28, "No space left on device")

    with pytest.raises(ValueError, match="the first"):
        do_failing(outputs, ValueError("the first"))
    assert "could not be written" in caplog.text


def test_a_killed_job_is_interrupted(outputs):
    pid = os.fork()
    if pid == 0:
        with running(job_folder(outputs), JOB, outputs, user_error):
            os._exit(9)
    os.waitpid(pid, 0)
    assert [job.state for job in read_jobs(outputs)] == ["interrupted"]
    do(outputs)
    assert [job.state for job in read_jobs(outputs)] == ["done"]


def test_a_job_of_another_machine_is_judged_by_its_lock(outputs):
    with running(job_folder(outputs), JOB, outputs, user_error):
        file = job_folder(outputs) / "job.json"
        content = file.read_text().replace(os.uname().nodename, "another-host")
        file.write_text(content)
        found = []
        thread = threading.Thread(target=lambda: found.extend(read_jobs(outputs)))
        thread.start()
        thread.join()
        assert [job.state for job in found] == ["running"]
    file.write_text(content)
    assert [job.state for job in read_jobs(outputs)] == ["interrupted"]
