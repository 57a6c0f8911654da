import json
import os
import threading
from dataclasses import replace

import hydra
import pytest

from sr_deepfake.app.configuration import CONF
from sr_deepfake.app.grid import run_of
from sr_deepfake.app.overrides import completed
from sr_deepfake.experiment.runs import Run, RunStore
from sr_deepfake.system.errors import UserError

RUN = Run("train", ["model=swin"], {"seed": 0, "data": {}}, "swin", "FaceSwap", "none", "sample")


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "outputs")


def do(store, run=RUN, name="one", repeated=False):
    folder = store.outputs / "results" / name
    folder.mkdir(parents=True, exist_ok=True)
    with store.running(run) as job:
        (folder / "metrics.json").write_text("{}")
        job.result, job.repeated = folder, repeated
    return folder


def composed(*overrides, program="train"):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = hydra.compose(program, completed(program, overrides), return_hydra_config=True)
        return run_of(program, overrides, cfg, cfg.hydra.runtime.choices)


def test_a_cell_is_missing_then_running_then_done(store):
    assert store.find(RUN.name) is None
    with store.running(RUN) as job:
        assert store.find(RUN.name).state == "running"
        assert store.find(RUN.name).pid == os.getpid()
        job.result = store.outputs / "results" / "one"
        job.result.mkdir(parents=True)
        (job.result / "metrics.json").write_text("{}")
    found = store.find(RUN.name)
    assert (found.state, found.result) == ("done", "results/one")
    assert found.overrides == RUN.overrides
    assert [run.name for run in store.all()] == [RUN.name]


def test_results_that_were_removed_are_missing(store):
    (do(store) / "metrics.json").unlink()
    assert store.find(RUN.name) is None
    assert store.all() == []


def test_a_failed_cell_says_of_what_and_the_error_goes_on(store):
    with pytest.raises(UserError), store.running(RUN):
        raise UserError("there are no faces")
    assert (store.find(RUN.name).state, store.find(RUN.name).error) == ("failed", "there are no faces")
    do(store)
    assert store.find(RUN.name).state == "done"
    assert store.find(RUN.name).error == ""


def test_an_error_is_told_although_its_state_cannot_be_written(store, monkeypatch, caplog):
    def full(path, content):
        raise OSError(28, "No space left on device")

    def fail():
        with store.running(RUN):
            monkeypatch.setattr("sr_deepfake.experiment.runs.write_json", full)
            raise ValueError("the first")

    with pytest.raises(ValueError, match="the first"):
        fail()
    assert "could not be written" in caplog.text


def test_a_killed_job_is_interrupted(store):
    pid = os.fork()
    if pid == 0:
        with store.running(RUN):
            os._exit(9)
    os.waitpid(pid, 0)
    assert store.find(RUN.name).state == "interrupted"
    do(store)
    assert store.find(RUN.name).state == "done"


def test_a_job_of_another_machine_is_judged_by_its_lock(store):
    file = store.root / f"{RUN.name}.json"
    with store.running(RUN) as job:
        content = json.loads(file.read_text()) | {"host": "elsewhere", "pid": 2**22 + 1}
        file.write_text(json.dumps(content))
        assert store.find(RUN.name).state == "running"
        job.result = store.outputs
    file.write_text(json.dumps(content))
    assert store.find(RUN.name).state == "interrupted"


def test_a_process_with_the_same_number_is_not_the_job(store):
    store.root.mkdir(parents=True)
    store._write(replace(RUN, state="running", pid=os.getpid(), host=os.uname().nodename))
    assert store.find(RUN.name).state == "interrupted"


def test_a_second_job_waits_for_the_first(store, caplog):
    caplog.set_level("INFO")
    order = []
    entered = threading.Event()

    def first():
        with store.running(RUN) as job:
            entered.set()
            while "waiting for it" not in caplog.text:
                pass
            order.append("first")
            job.result = store.outputs

    thread = threading.Thread(target=first)
    thread.start()
    entered.wait()
    do(store)
    order.append("second")
    thread.join()
    assert order == ["first", "second"]


def test_what_was_done_already_took_as_long_as_when_it_was_done(store):
    do(store)
    file = store.root / f"{RUN.name}.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"seconds": 1234.0}))
    do(store, repeated=True)
    assert store.find(RUN.name).seconds == 1234.0
    do(store)
    assert store.find(RUN.name).seconds < 1234.0


def test_a_damaged_state_counts_as_missing(store, caplog):
    do(store)
    (store.root / f"{RUN.name}.json").write_text("{")
    assert store.find(RUN.name) is None
    assert "is ignored" in caplog.text


def test_without_its_root_the_last_cell_that_is_alike_is_found(store):
    one, other = (composed("data=ffpp", f"data.root=/{name}") for name in ("one", "other"))
    do(store, one, "one")
    do(store, other, "other")
    asked = composed("data=ffpp")
    assert store.find(asked.name) is None
    assert store.like(asked).result == "results/other"
    assert store.like(one).result == "results/one"
    assert store.like(composed("data=ffpp", "seed=1")) is None
    assert store.like(composed("data=ffpp", "data.root=/third")) is None
