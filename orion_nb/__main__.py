"""`python -m orion_nb` is the command line `orion-nb`."""

from __future__ import annotations

from orion_nb.cli import main

if __name__ == "__main__":
    main()
