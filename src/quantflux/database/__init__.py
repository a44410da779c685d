"""The database of our own tables: users, sessions, jobs, audit."""
