"""What files of photos say besides pixels: which belong together, when taken, with which stars."""
