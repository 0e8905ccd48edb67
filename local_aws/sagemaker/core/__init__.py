"""What every part of SageMaker uses: context, state, validation, images, processes, logs, S3."""
