"""What intake does with one group of messages besides judging them: opening, counting, receipts."""
