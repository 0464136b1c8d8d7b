"""Figures that can be measured again: `make bench`."""
