"""The street's totals: made once, published once, never changed."""
