"""From everything to a few, then the few in order."""
