"""The sections of the comparison."""
