"""How the bundled encoder's weights are trained: ``python -m encoders.training shipped``.

The towers come from packages; what is learned here is the end of the picture tower, a head on
each tower and a low-rank adapter of the text tower. The picture tower's front never changes, so
its output is computed once per augmented view and kept, and training costs minutes per epoch on
two CPU cores. Recipes, data, hours and hardware: `README.md` beside this file.
"""
