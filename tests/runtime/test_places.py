"""Where things are follows the environment, and no password is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.core import places


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("postgresql://me:secret@db:5432/x", "postgresql://me:***@db:5432/x"),
        ("postgresql+psycopg2://me:se:cret@db/x", "postgresql+psycopg2://me:***@db/x"),
        ("https://user:p%40ss@host/path?a=b@c", "https://user:***@host/path?a=b@c"),
        ("sqlite:////home/me/mlflow.db", "sqlite:////home/me/mlflow.db"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("s3://bucket/prefix", "s3://bucket/prefix"),
    ],
)
def test_a_password_is_not_shown(uri: str, shown: str) -> None:
    assert places.shown_uri(uri) == shown


def test_the_home_holds_what_is_not_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ASSAY_DATA", "ASSAY_STORE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    assert places.home() == tmp_path
    assert places.data_folder() == tmp_path / "mlruns" / "data"
    assert places.store_url() == str(tmp_path / "mlruns" / "store")
    assert places.tracking_uri() == f"sqlite:///{tmp_path}/mlruns/mlflow.db"


def test_each_place_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_DATA", str(tmp_path / "d"))
    monkeypatch.setenv("ASSAY_STORE", "s3://bucket/x")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert (places.data_folder(), places.store_url(), places.tracking_uri()) == (tmp_path / "d", "s3://bucket/x", "http://127.0.0.1:5000")
