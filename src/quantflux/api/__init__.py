"""The HTTP API: FastAPI app, its routes, and v1's routes as translations."""
