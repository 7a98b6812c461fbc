"""`python -m plugin`: the same as the program `kubectl-purelb`."""

from plugin.cli.root import main

if __name__ == "__main__":
    main()
