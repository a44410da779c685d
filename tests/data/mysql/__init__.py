"""The MySQL adapter on real MariaDB servers."""
