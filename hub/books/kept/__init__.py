"""What pages keep of the books between two looks, and bring up to date by what came since."""
