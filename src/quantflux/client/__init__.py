"""A typed client of the HTTP API, for notebooks and programs: `quantflux.Client`."""
