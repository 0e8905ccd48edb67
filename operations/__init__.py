"""What an operator does to a deployed stack, on a laptop and in an account alike."""
