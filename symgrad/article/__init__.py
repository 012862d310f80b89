"""The article's equations, as data."""
