"""boto3 adapters: the only modules of the package that call AWS. They translate AWS's error codes into our errors."""
