"""Many runs of one file: every combination of some values, over processes that share what they read."""
