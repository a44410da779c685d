"""Rivals in processes of their own: how they are started, measured and reported."""
