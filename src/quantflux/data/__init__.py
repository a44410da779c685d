"""The data access layer over the truth stores, and everything that feeds it."""
