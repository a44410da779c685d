"""Long work by name: what a job of each kind does with the platform, wherever it runs."""
