"""boto3 adapters: the only modules of the package that call AWS. AWS's error codes become our errors here."""
