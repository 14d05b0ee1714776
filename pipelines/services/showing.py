"""How services are shown: one line each, the same in every terminal that watches."""

from __future__ import annotations

from pipelines.services.state import Service, Up


def line(service: Service) -> str:
    """One service: name, condition, address, note."""
    again = f"started again {service.restarts} times" if service.restarts > 1 else "started again" if service.restarts else ""
    notes = ", ".join(part for part in (service.note, again) if part)
    return f"{service.name:<22} {service.condition:<10} {service.address}{f'  ({notes})' if notes else ''}"


def table(up: Up) -> str:
    """All services, then where to look and how to use them."""
    rows = [line(service) for service in up.services]
    return "\n".join([*rows, "", *addresses(up)])


def addresses(up: Up) -> list[str]:
    """Where to look, and how to send a study there."""
    return [
        f"MLflow    {up.mlflow_page}",
        f"Prefect   {up.prefect_page}",
        f"records   {up.records}",
        f"store     {up.store}",
        f"try       PREFECT_API_URL={up.prefect_api} prefect deployment run dp-training/quickstart --watch",
    ]
