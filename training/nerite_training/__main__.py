"""Command line of the pipeline."""
from .cli import main

main()
