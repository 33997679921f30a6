"""The Space: the app of `aesthetic_tv`, on the bank that AESTHETIC_TV_BANK names."""

from aesthetic_tv.app import launch

launch()
