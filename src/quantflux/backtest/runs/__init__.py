"""Run files: what they may say, what they need of the data, and the record that a run leaves."""
