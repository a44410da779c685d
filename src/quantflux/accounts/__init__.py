"""Users, tokens, permissions, audit and rate limits."""
