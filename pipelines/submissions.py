"""Submissions of studies with secret randomness: their work has a key of its own, so that it is resumed but never shared."""

from __future__ import annotations

import json
import uuid

import filelock

from specs.schemas.study import Study
from tasks.core.store import Store

NOT_BEGUN = "not begun"


def submission_of(study: Study, store: Store, begin: bool, new: bool) -> str | None:
    """The id of the study's submission: the one that an earlier run began, or another one; None where no randomness is secret.

    Only a run begins one: a plan of a study that was never run has a stand-in.
    """
    if study.randomness != "secret":
        return None
    path = store.local / "submissions" / f"{study.submission_key()}.json"
    if not begin:
        return str(json.loads(path.read_text())["submission"]) if path.exists() else NOT_BEGUN
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.with_suffix(".lock")):
        if new or not path.exists():
            aside = path.with_suffix(".aside")
            aside.write_text(json.dumps({"study": study.name, "submission": uuid.uuid4().hex}) + "\n")
            aside.replace(path)
        return str(json.loads(path.read_text())["submission"])
