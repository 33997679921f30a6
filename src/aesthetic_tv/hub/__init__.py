"""The Hub: repos and their revisions (`repos`), failures there (`failures`), cards and Spaces."""
