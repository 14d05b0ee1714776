"""A private training from data to artifact: what it says of itself, what it leaves, and that a kill changes nothing."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tasks.core.graph import Call
from tasks.core.measures import Measures
from tasks.core.store import Store, open_store
from tasks.data.prepared import PreparedData
from tasks.models.architectures.bilstm import BiLstm
from tasks.models.artifact import load_model
from tasks.models.model import MODELS, TaskShape
from tasks.privacy.network import UnsoundNetwork
from tasks.privacy.randomness import KEY_FILE, key_of
from tasks.runtime.execution import StepFailed, execute
from tasks.training import trial
from tasks.training.guards import TrainingGuard, check_saved
from tasks.training.optimizers.adamw import AdamW
from tasks.training.private_gradient import PrivateGradient
from tasks.training.steps import TRAIN, TrainConfig, train
from tests.conftest import NewRun, Prepare
from tests.models.samples import publish
from tests.training.private import KEPT, KINDS, SEED, account_of, block, config, done, killed, killed_at, occurrences, same_work
from tests.training.trainings import BILSTM, Clock, equal


@pytest.fixture(autouse=True, scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Accounts are kept under the home folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.mark.parametrize("name", sorted(KINDS))
def test_the_artifact_tells_what_was_spent(name: str, prepare: Prepare, new_run: NewRun) -> None:
    task, model, engine = KINDS[name]
    data, run, settings = prepare(block(task)), new_run(), config(model, engine)
    done(settings, data, run)
    account = account_of(settings, data)
    said = json.loads((run.folder / "privacy.json").read_text())
    assert said == json.loads(json.dumps(account.record())) and said["epsilon"] == account.epsilon > 0
    assert said["guarantee"].startswith("simulated: example-level (") and (said["steps"], said["divisor"], said["rate"]) == (10, 12, 0.1)
    rows = {row.name: row for row in Measures.load_rows(run.folder)}
    numbers = {name: rows[f"privacy/{name}"].value for name in ("epsilon", "delta", "noise_multiplier")}
    assert numbers == {"epsilon": account.epsilon, "delta": account.delta, "noise_multiplier": 1.0}
    assert all(rows[f"privacy/{name}"].conditions["status"] == "simulated" for name in numbers)


def test_examples_per_second_do_not_tell_how_many_there_were(prepare: Prepare, new_run: NewRun) -> None:
    run = new_run()
    done(config(BILSTM, "opacus-ghost"), prepare(block("joint")), run)
    rows = {row.name: row.value for row in Measures.load_rows(run.folder)}
    seconds, rate = rows["cost/train_seconds"], rows["cost/examples_per_second"]
    assert seconds and rate and seconds * rate == pytest.approx(10 * 12)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published model."""
    return publish(tmp_path_factory.mktemp("source"), TaskShape("intent", ("a", "b")))


def adapted(source: Path, **fields: Any) -> dict[str, Any]:
    return {"kind": "pretrained", "source": str(source), "tokenizer": {"kind": "hashing", "buckets": 200, "max_tokens": 32}, **fields}


@pytest.mark.parametrize(
    ("engine", "fields"), [("opacus-ghost", {"frozen": ["embeddings", "encoder.layer.0"]}), ("opacus-hooks", {"adapter": {"kind": "lora", "rank": 2}})]
)
def test_trained_weights_change_and_frozen_ones_do_not(engine: str, fields: dict[str, Any], source: Path, prepare: Prepare, new_run: NewRun) -> None:
    data, run, model = prepare(block("intent")), new_run(), adapted(source, **fields)
    done(config(model, engine, training={"epochs": 0.3}), data, run)
    begun = MODELS.parse(model).start(TaskShape(data.task, data.labels, data.slots), {}, SEED).network  # type: ignore[attr-defined]
    ended = dict(load_model(run.folder, "cpu").network.named_parameters())
    changed = {name for name, value in begun.named_parameters() if not torch.equal(value, ended[name])}
    assert changed == {name for name, value in begun.named_parameters() if value.requires_grad} < set(ended)


def frozen_moved(gradient: PrivateGradient, network: nn.Module, indices: Tensor, step: int) -> Tensor | None:
    with torch.no_grad():
        next(value for value in network.parameters() if not value.requires_grad).view(-1)[0] += 1e-3
    return KEPT(gradient, network, indices, step)


def altered(*given: Any) -> None:
    path = given[1] / "model.safetensors"
    save_file({name: value + 0.01 for name, value in load_file(path).items()}, path)
    CHECKED(*given)


CHECKED = check_saved


@pytest.mark.parametrize(
    ("fault", "line"), [("frozen", "a frozen weight changed: body"), ("left out", r"1 of \d+ trained weights did not change"), ("file", "answers otherwise")]
)
def test_guards_end_a_training_that_does_not_do_what_it_says(
    fault: str, line: str, source: Path, prepare: Prepare, new_run: NewRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault == "frozen":
        monkeypatch.setattr(PrivateGradient, "__call__", frozen_moved)
    elif fault == "left out":
        build = AdamW.build
        monkeypatch.setattr(AdamW, "build", lambda optimizer, parameters: build(optimizer, list(parameters)[1:]))
    else:
        monkeypatch.setattr(trial, "check_saved", altered)
    settings = config(adapted(source, frozen=["embeddings"]), "opacus-hooks", training={"epochs": 0.2})
    with pytest.raises(TrainingGuard, match=line):
        done(settings, prepare(block("intent")), new_run())


@pytest.mark.parametrize("randomness", ["reproducible", "secret"])
@pytest.mark.parametrize(("name", "kills"), [("bilstm", (1, 8)), ("bert", (9,)), ("gpt2", (6,))])
def test_a_kill_changes_nothing(name: str, kills: tuple[int, ...], randomness: str, prepare: Prepare, new_run: NewRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first checkpoint, which is after five steps, and after it; a secret key is the one of the first attempt."""
    monkeypatch.setattr(time, "monotonic", Clock())
    task, model, engine = KINDS[name]
    data, settings = prepare(block(task)), config(model, engine, randomness)
    run, whole = new_run(), new_run()
    for step in kills:
        killed(settings, data, run, step)
        same_work(run)
    assert [path.name for path in (run.checkpoint / "training").glob("step-*")] == ["step-000000005"]
    if randomness == "secret":
        shutil.copy(run.checkpoint / KEY_FILE, whole.checkpoint / KEY_FILE)
    assert equal(done(settings, data, run), done(settings, data, whole))


def test_a_key_that_is_drawn_anew_after_a_kill_would_be_seen(prepare: Prepare, new_run: NewRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", Clock())
    data, settings, run, whole = prepare(block("joint")), config(BILSTM, "opacus-ghost", "secret"), new_run(), new_run()
    killed(settings, data, run, 8)
    shutil.copy(run.checkpoint / KEY_FILE, whole.checkpoint / KEY_FILE)
    (run.checkpoint / KEY_FILE).unlink()
    assert not equal(done(settings, data, same_work(run)), done(settings, data, whole))


def test_a_secret_key_lies_in_the_checkpoint_folder_alone(prepare: Prepare, new_run: NewRun) -> None:
    data, settings = prepare(block("joint")), config(BILSTM, "opacus-ghost", "secret")
    runs, keys, weights = [new_run(), new_run()], [], []
    for run in runs:
        weights.append(done(settings, data, run))
        path = run.checkpoint / KEY_FILE
        keys.append(int(path.read_text(), 16))
        assert path.stat().st_mode & 0o777 == 0o600 and keys[-1] > 2**200
        assert occurrences(keys[-1], run.folder.parent) == {f"checkpoint/{KEY_FILE}"}
        assert json.loads((run.folder / "privacy.json").read_text())["guarantee"].startswith("example-level (")
    assert keys[0] != keys[1] and not equal(*weights)
    (runs[0].folder / "note.json").write_text(json.dumps({"key": keys[0]}))
    assert occurrences(keys[0], runs[0].folder) == {"note.json"}  # a key that was written down would be found


class Gone(BaseException):
    """The end of the process, which no code can catch."""


def call(settings: TrainConfig, data: PreparedData, folder: Path) -> Call:
    """The training as a process of the pool gets it, with its data in the store."""
    store = open_store(str(folder))
    if not store.has("data"):
        store.commit("data", Path(shutil.copytree(data.folder, folder / "copy")), {})
    return Call(TRAIN, settings, {"data": "data"}, SEED, "trained", "train", "shape", "cpu", None, str(folder), "test")


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every key that a training asked for."""
    seen: list[int] = []

    def noted(*given: Any) -> int:
        seen.append(key_of(*given))
        return seen[-1]

    monkeypatch.setattr(trial, "key_of", noted)
    return seen


def test_no_key_outlives_the_commit(prepare: Prepare, keys: list[int], tmp_path: Path) -> None:
    """Though the training was killed once, and went on with the same key."""
    work = call(config(BILSTM, "opacus-ghost", "secret"), prepare(block("joint")), tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PrivateGradient, "__call__", killed_at(4))
        with pytest.raises(StepFailed):
            execute(work)
    assert occurrences(keys[0], tmp_path) == {f"unfinished/trained/checkpoint/{KEY_FILE}"}
    assert execute(work) and keys[0] == keys[1] and open_store(str(tmp_path)).intact("trained")
    assert not list(tmp_path.rglob(KEY_FILE)) and not occurrences(keys[0], tmp_path)


def test_no_key_outlives_a_kill_right_after_the_commit(prepare: Prepare, keys: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work, commit = call(config(BILSTM, "opacus-ghost", "secret"), prepare(block("joint")), tmp_path), Store.commit

    def dies(*given: Any) -> Path:
        commit(*given)
        raise Gone

    with monkeypatch.context() as patch:
        patch.setattr(Store, "commit", dies)
        with pytest.raises(Gone):
            execute(work)
    assert not execute(work) and len(keys) == 1
    assert not list(tmp_path.rglob(KEY_FILE)) and not occurrences(keys[0], tmp_path)


class Normed(nn.Module):
    """The network of a BiLSTM that normalises over the batch."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.norm = network, nn.BatchNorm1d(4)


def test_a_layer_that_mixes_examples_is_refused(prepare: Prepare, new_run: NewRun, monkeypatch: pytest.MonkeyPatch) -> None:
    build = BiLstm.build
    monkeypatch.setattr(BiLstm, "build", lambda *given: Normed(build(*given)))
    with pytest.raises(UnsoundNetwork, match=r"mixes the examples of a batch.*\[PRIV-10\]") as caught:
        done(config(BILSTM, "opacus-ghost"), prepare(block("joint")), new_run())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("private", "refused"), [(True, True), (None, True), (False, False)])
def test_a_base_that_learnt_from_private_records_is_refused(private: bool | None, refused: bool, prepare: Prepare, new_run: NewRun) -> None:
    """A recorded model that does not say so is taken as private."""
    data, base, run = prepare(block("joint")), new_run(), new_run()
    plain = {"model": BILSTM, "training": {"epochs": 0.1}, "privacy": {"kind": "none"}, "randomness": "reproducible"}
    train(TrainConfig.model_validate(plain), {"data": data.folder}, SEED, base)
    facts = json.loads((base.folder / "data.json").read_text())
    (base.folder / "data.json").write_text(json.dumps({**facts, "private": private}))
    settings = config({"kind": "mlflow", "run": "x"}, "opacus-ghost", training={"epochs": 0.2})
    inputs = {"data": data.folder, "base": base.folder}
    if not refused:
        train(settings, inputs, SEED, run)
        return
    with pytest.raises(UnsoundNetwork, match=r"private records.*\[PRIV-17\]"):
        train(settings, inputs, SEED, run)
