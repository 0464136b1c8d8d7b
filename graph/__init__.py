"""Tables and content vectors → knowledge graph → user and item vectors, and paths."""

from graph.build import build_graph
from graph.co_occurrence import bought_with
from graph.config import GraphConfig
from graph.fold_in import ItemMap, embed_items, embed_users, fit_item_map, interest
from graph.kg import Adjacent, Edges, EdgeType, GraphStats, KnowledgeGraph
from graph.losses import bpr, sampled_softmax
from graph.model import GraphModel
from graph.paths import Hop, Path, find_paths
from graph.schema import (
    FactTable,
    GraphError,
    GraphTables,
    NodeType,
    Relation,
    decayed_weight,
)
from graph.spectral import Spectrum, spectral_state
from graph.train import Epoch, fit
from graph.vectors import FitMetrics, GraphVectors

__all__ = [
    "Adjacent",
    "EdgeType",
    "Edges",
    "Epoch",
    "FactTable",
    "FitMetrics",
    "GraphConfig",
    "GraphError",
    "GraphModel",
    "GraphStats",
    "GraphTables",
    "GraphVectors",
    "Hop",
    "ItemMap",
    "KnowledgeGraph",
    "NodeType",
    "Path",
    "Relation",
    "Spectrum",
    "bought_with",
    "bpr",
    "build_graph",
    "decayed_weight",
    "embed_items",
    "embed_users",
    "find_paths",
    "fit",
    "fit_item_map",
    "interest",
    "sampled_softmax",
    "spectral_state",
]
