"""Whether a server or a worker answers, asked over HTTP alone."""

from __future__ import annotations

from datetime import datetime

TIMEOUT = 5.0


def problem(url: str, timeout: float = TIMEOUT) -> str | None:
    """Why nothing good comes from an address, in a few words; None where it answers as it should."""
    import httpx

    try:
        httpx.get(url, timeout=timeout).raise_for_status()
    except httpx.HTTPStatusError as error:
        return f"answers with status {error.response.status_code}"
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return str(error) or type(error).__name__
    return None


def prefect_health(api: str) -> str:
    """The address that tells whether a Prefect API is well."""
    return f"{api.rstrip('/')}/health"


def mlflow_health(page: str) -> str:
    """The address that tells whether an MLflow server is well."""
    return f"{page.rstrip('/')}/health"


def worker_online(api: str, pool: str, name: str, since: datetime) -> bool:
    """Whether a worker has reported to a Prefect server since it was started."""
    import httpx

    try:
        answer = httpx.post(f"{api}/work_pools/{pool}/workers/filter", json={}, timeout=TIMEOUT)
        answer.raise_for_status()
    except httpx.HTTPError:
        return False
    return any(worker["name"] == name and worker["status"] == "ONLINE" and _time(worker["last_heartbeat_time"]) >= since for worker in answer.json())


def _time(text: str | None) -> datetime:
    return datetime.fromisoformat(text or "1970-01-01T00:00:00+00:00")
