"""A second way to compute expressions: operator by operator from their docstrings, slowly and plainly.

Nothing here knows the kernels or the engine. `answers` says how close an answer must be, `elementwise`, `rolling`,
`paired`, `recursive`, `rows` and `groups` hold one function for each operator, `evaluator` puts them together, and
`panels` makes the data that are hard to get right.
"""
