"""Groups of texts by content: TF-IDF, truncated SVD, k-means; offline and the same for every seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from tasks.data.dataset import DataError

MOST_WORDS, COMPONENTS, STARTS, MOST_FITTED = 20_000, 50, 3, 50_000


@dataclass(frozen=True)
class Clusters:
    """Fitted groups; a text belongs to the nearest centre."""

    words: TfidfVectorizer
    projection: TruncatedSVD
    groups: KMeans

    def of(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """(R,) the group of each text."""
        nearest: NDArray[np.int64] = self.groups.predict(_embedded(self.projection.transform(self.words.transform(texts)))).astype(np.int64)
        return nearest


def fit(texts: Sequence[str], count: int) -> Clusters:
    """Groups of at most 50,000 of the texts, evenly spread. Raises DataError where there are not so many different texts."""
    texts = texts[:: -(-len(texts) // MOST_FITTED)]
    words = TfidfVectorizer(max_features=MOST_WORDS, sublinear_tf=True)
    try:
        weighted = words.fit_transform(texts)
    except ValueError as error:
        raise DataError("partition cluster-dirichlet: the texts have no words; use another partition") from error
    projection = TruncatedSVD(min(COMPONENTS, weighted.shape[1]), random_state=0)
    with np.errstate(invalid="ignore"):  # the share of variance explained, unused, of texts that are all alike
        embedded = _embedded(projection.fit_transform(weighted))
    different = len(np.unique(embedded.round(6), axis=0))
    if different < count:
        raise DataError(f"partition cluster-dirichlet: {count} clusters of {different} different texts; lower partition.clusters")
    return Clusters(words, projection, KMeans(count, n_init=STARTS, random_state=0).fit(embedded))


def _embedded(projected: NDArray[np.float64]) -> NDArray[np.float64]:
    """Directions: long and short texts of one topic lie together."""
    directions: NDArray[np.float64] = normalize(projected)
    return directions
