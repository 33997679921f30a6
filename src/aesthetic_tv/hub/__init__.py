"""The Hub: repos and their revisions (`repos`), what went wrong there (`failures`), cards."""
