"""`python -m aesthetic_tv`: the command line, where its script is not on the path."""

from aesthetic_tv.cli import main

main()
