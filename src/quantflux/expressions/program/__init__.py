"""How expressions are computed: compiled to steps, scheduled, and run a chunk of rows at a time."""
