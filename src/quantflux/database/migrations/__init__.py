"""How the tables came to be as they are: one Alembic revision for every released change."""
