"""What-if and fairness for the pages: computed beside the event loop and cached."""
