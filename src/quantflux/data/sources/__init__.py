"""Where market data come from: files, vendors, and a synthetic market."""
