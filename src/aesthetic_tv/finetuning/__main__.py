"""`accelerate launch -m aesthetic_tv.finetuning ava --data ... --base ... --out ...`: what
`aesthetic-tv finetune` does, in as many processes as the launcher starts.
"""

from aesthetic_tv.cli.finetune import main

main()
