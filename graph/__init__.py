"""Tables and content vectors → knowledge graph → user and item vectors, and paths."""

from graph.build import Looks, build_graph
from graph.co_occurrence import bought_with
from graph.collaborative import Collaborative, CollaborativeConfig, fit_collaborative
from graph.config import GraphConfig
from graph.edges import Edges, EdgeType
from graph.fold_in import (
    ItemMap,
    embed_items,
    embed_new_items,
    embed_users,
    fit_item_map,
    interest,
)
from graph.incremental import GrowingGraph, extend_graph, start_graph
from graph.kg import Adjacent, GraphStats, KnowledgeGraph
from graph.losses import bpr, sampled_softmax
from graph.model import GraphModel
from graph.paths import Hop, Path, PathsFrom, find_paths
from graph.refresh import Earlier, Freshness, freshness, refresh_items
from graph.schema import (
    Facet,
    FactTable,
    GraphError,
    GraphTables,
    LinkTable,
    NodeType,
    Relation,
    decayed_weight,
)
from graph.spectral import Spectrum, spectral_state
from graph.train import Epoch, fit
from graph.vectors import FitMetrics, GraphVectors

__all__ = [
    "Adjacent",
    "Collaborative",
    "CollaborativeConfig",
    "Earlier",
    "EdgeType",
    "Edges",
    "Epoch",
    "Facet",
    "FactTable",
    "FitMetrics",
    "Freshness",
    "GraphConfig",
    "GraphError",
    "GraphModel",
    "GraphStats",
    "GraphTables",
    "GraphVectors",
    "GrowingGraph",
    "Hop",
    "ItemMap",
    "KnowledgeGraph",
    "LinkTable",
    "Looks",
    "NodeType",
    "Path",
    "PathsFrom",
    "Relation",
    "Spectrum",
    "bought_with",
    "bpr",
    "build_graph",
    "decayed_weight",
    "embed_items",
    "embed_new_items",
    "embed_users",
    "extend_graph",
    "find_paths",
    "fit",
    "fit_collaborative",
    "fit_item_map",
    "freshness",
    "interest",
    "refresh_items",
    "sampled_softmax",
    "spectral_state",
    "start_graph",
]
