"""Optimisers side by side: quantflux, skfolio alone and PyPortfolioOpt on the same problem."""
