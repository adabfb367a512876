"""What `doctor` looks at: everything that could be wrong with an agent, each with what to do. Changes nothing."""
