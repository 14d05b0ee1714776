"""The share of a node: the records of its own devices, and nothing of anybody else's.

    python -m tasks.federated.flower.shares DATA POPULATION OUT --nodes 2

writes a folder for each node of a team: ``OUT/node-0/data``, ``OUT/node-0/population``, and so on.
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from tasks.data.prepared import PreparedData
from tasks.federated.population import Population


def write_share(prepared: Path, population: Path, partition: int, nodes: int, folder: Path) -> dict[str, Path]:
    """Write what node ``partition`` of ``nodes`` needs: the training records of the devices d with partition = d mod nodes, and their population.

    Returns:
        The folders, by the names that the node's configuration has for them.
    """
    told, whole = PreparedData(prepared), Population.load(population)
    records = told.split("train")
    own = (whole.train >= 0) & (whole.train % nodes == partition)
    ids = records["id"].to_numpy(dtype=object) if whole.train_ids is None else whole.train_ids
    share = replace(
        whole,
        train=np.where(own, whole.train, -1),
        test=np.full_like(whole.test, -1),
        train_ids=np.where(own, ids, ""),
        test_ids=None,
    )
    found = {"data": folder / "data", "population": folder / "population"}
    for path in found.values():
        path.mkdir(parents=True, exist_ok=True)
    records[records["id"].isin(ids[own])].to_parquet(found["data"] / "train.parquet", index=False)
    shutil.copy(prepared / "data.json", found["data"])
    share.save(found["population"])
    return found


def main() -> None:
    """Write the shares of all nodes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, what in (("data", "folder of the prepared data"), ("population", "folder of the population"), ("out", "where shares go")):
        parser.add_argument(name, type=Path, help=what)
    parser.add_argument("--nodes", type=int, required=True)
    given = parser.parse_args()
    for partition in range(given.nodes):
        folders = write_share(given.data, given.population, partition, given.nodes, given.out / f"node-{partition}")
        print(json.dumps({"partition-id": partition, **{name: str(path) for name, path in folders.items()}}))  # noqa: T201


if __name__ == "__main__":
    main()
