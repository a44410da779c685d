"""`python -m quantflux` is the `quantflux` command."""

from quantflux.cli import main

if __name__ == "__main__":
    main()
