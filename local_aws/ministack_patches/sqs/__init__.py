"""Dead-letter queues: which queues use one, and moving its messages back."""
