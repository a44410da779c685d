"""Scores of a day's names, and choosing among them: composite scores, screens, rankings, and what explains them."""
