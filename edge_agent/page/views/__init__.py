"""The pages themselves: each takes what the home knows and gives HTML in the reader's language."""
