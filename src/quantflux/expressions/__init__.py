"""One language for factors: expressions, their text, and an engine that computes them over panels."""
