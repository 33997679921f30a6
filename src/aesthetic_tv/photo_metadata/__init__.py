"""What the files of photos say besides pixels: which belong together, when they were taken, stars."""
