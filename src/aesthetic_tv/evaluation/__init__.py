"""Measuring how well scorers serve people, free of leaks."""
