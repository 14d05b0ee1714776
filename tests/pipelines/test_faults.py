"""Kill -9 at any moment loses no finished work and changes no number; two runs of one study do the work once."""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient

from tests.pipelines.faults import CHECKOUT, Home, numbers, wait_for

QUICKSTART = CHECKOUT / "specs" / "quickstart.yaml"
STUDY = """
kind: dp-training
name: killed
data: {kind: synthetic-assistant, examples: 1500, task: intent}
fairness: []
model: {kind: bilstm, hidden_size: 32}
training: {epochs: 6}
utility: [{kind: accuracy}]
sweep: {seeds: [0, 1]}
"""


def statuses(home: Home, study: str) -> list[str]:
    """The statuses of all runs of a study."""
    client = MlflowClient(tracking_uri=f"sqlite:///{home.folder}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name(study)
    assert experiment is not None
    return [str(run.info.status) for run in client.search_runs([experiment.experiment_id])]


def kill(home: Home, study: Path, moment: float) -> bool:
    """Kill a run some seconds in; whether it was still at work. What was committed before must still stand."""
    before = home.artifacts()
    met = home.run_and_kill(study, moment)
    after = home.artifacts()
    assert {key: after.get(key) for key in before} == before, "finished work was lost"
    return met


@dataclass
class Shared:
    """The study, the home in which two runs of it at once ended undisturbed, and how they ended."""

    study: Path
    home: Home
    codes: list[int | None]
    outs: list[tuple[str, str]]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    folder = tmp_path_factory.mktemp("undisturbed")
    study, home = folder / "killed.yaml", Home(folder / "home")
    study.write_text(STUDY)
    runs = [home.start("run", str(study)) for _ in range(2)]
    outs = [process.communicate(timeout=300) for process in runs]
    return Shared(study, home, [process.returncode for process in runs], outs)


@pytest.mark.slow
def test_two_runs_at_once_do_the_work_once(shared: Shared) -> None:
    assert shared.codes == [0, 0], shared.outs
    made = sorted(out.split("steps: ")[1].split(" made")[0] for out, _ in shared.outs)
    assert made == ["0", "7"]
    assert sum("waiting for it" in err for _, err in shared.outs) == 1
    assert len(statuses(shared.home, "killed")) == 3


@pytest.mark.slow
def test_a_kill_in_the_middle_of_a_training_changes_nothing(shared: Shared, tmp_path: Path) -> None:
    study = shared.study
    home = Home(tmp_path / "disturbed")
    process = home.start("run", str(study), "--json")
    training = home.folder / "mlruns" / "store" / "unfinished"
    assert wait_for(lambda: any(training.glob("*/metrics.jsonl")), 60), "no training began"
    family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    _, alive = psutil.wait_procs(family, timeout=15)
    assert len(family) >= 3 and alive == [], "the server or a worker outlived its run"
    kept = home.artifacts()
    assert kept, "nothing was finished before the kill"
    code, undisturbed, err = shared.home.run("compare", "killed", "--json")
    assert code == 0, err
    assert numbers(home.result(study)) == numbers(json.loads(undisturbed))
    assert {key: home.artifacts()[key] for key in kept} == kept
    assert set(statuses(home, "killed")) == {"FINISHED"}


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.0, 0.5, 1.5])
def test_a_kill_while_the_pool_starts_leaves_no_process(tmp_path: Path, seconds: float) -> None:
    process = Home(tmp_path).start("run", str(QUICKSTART))
    me = psutil.Process(process.pid)

    def pooled() -> bool:
        return any("spawn_main" in " ".join(child.cmdline()) for child in me.children(recursive=True))

    assert wait_for(pooled, 60), "no pool was started"
    time.sleep(seconds)
    family = me.children(recursive=True)
    process.kill()
    process.communicate()
    _, alive = psutil.wait_procs(family, timeout=15)
    assert alive == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_kills_at_random_moments_of_the_quickstart(tmp_path: Path) -> None:
    """Where a run ends before its kill, the next ones begin afresh in another home."""
    undisturbed = numbers(Home(tmp_path / "undisturbed").result(QUICKSTART))
    draws = random.Random(20)
    homes = [Home(tmp_path / "disturbed-0")]
    kills = 0
    while kills < 10:
        if kill(homes[-1], QUICKSTART, draws.uniform(2, 18)):
            kills += 1
        else:
            homes.append(Home(tmp_path / f"disturbed-{len(homes)}"))
    for home in homes:
        if home.folder.exists():
            assert numbers(home.result(QUICKSTART)) == undisturbed
            assert set(statuses(home, "quickstart")) == {"FINISHED"}
