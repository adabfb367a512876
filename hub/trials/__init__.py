"""What-if and fairness for the pages: computed in a thread and cached."""
