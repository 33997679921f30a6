"""`torchrun --nproc_per_node 2 -m aesthetic_tv.evaluation --people ... --out ...`: what
`aesthetic-tv evaluate` does, in as many processes as the launcher starts.
"""

from aesthetic_tv.cli.evaluate import main

main()
