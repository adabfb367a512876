"""Settlement of one period: readings and a rule in; energy, money and a hash out."""
