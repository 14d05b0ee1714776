"""Feature skew by a Dirichlet distribution over clusters of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tasks.core.seeds import numpy_generator
from tasks.federated.partition import Partition

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


class ClusterDirichlet(Partition):
    """Each device has its own mixture of topics, drawn from Dirichlet(alpha x global shares of clusters), and as many records as any other.

    Topics are clusters of texts, as in Lin et al. (Findings of NAACL 2022), but of small offline embeddings in place of a sentence
    encoder: TF-IDF, truncated SVD to 50 numbers, directions, k-means. Clusters follow from the training texts alone, the same for
    every seed; only who holds what is by seed. A test text belongs to the cluster of the nearest centre.
    """

    equal_sizes: ClassVar[bool] = True
    columns: ClassVar[tuple[str, ...]] = ("text",)

    kind: Literal["cluster-dirichlet"]
    devices: int = Field(gt=0, description="Number of devices.")
    clusters: int = Field(default=10, ge=2, description="Number of clusters of texts.")
    alpha: float = Field(gt=0, le=1e9, description="Concentration: the smaller, the fewer topics a device has.")

    def assign(self, records: pd.DataFrame, seed: int) -> NDArray[np.object_]:
        """A deal by cluster."""
        from tasks.federated.partitions._clusters import fit
        from tasks.federated.partitions._dirichlet import deal
        from tasks.federated.partitions._naming import check, named

        check(self.kind, records, self.columns, self.devices)
        texts = records["text"].tolist()
        clusters = fit(texts, self.clusters).of(texts)
        return named(deal(clusters, self.devices, self.alpha, numpy_generator(seed, "partition")), self.devices)

    def strata(self, train: pd.DataFrame, test: pd.DataFrame, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Clusters."""
        from tasks.federated.partitions._clusters import fit
        from tasks.federated.partitions._naming import check

        check(self.kind, test, self.columns)
        texts = train["text"].tolist()
        found = fit(texts, self.clusters)
        return found.of(texts), found.of(test["text"].tolist())
