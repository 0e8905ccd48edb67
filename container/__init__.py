"""What the image runs: ``train``, ``serve``, and the web application behind SageMaker's routes."""
