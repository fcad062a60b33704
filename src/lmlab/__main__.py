"""python -m lmlab: the same as the command lmlab."""

from lmlab.cli import main

main()
