"""Cases of the knowledge graph and its network: figures as frozen dataclasses."""
