"""Stores as they are after months with many homes, made in bulk, and what pages and jobs cost on them."""
