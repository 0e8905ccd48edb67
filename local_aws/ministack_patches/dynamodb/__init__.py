"""DynamoDB: tables of templates, and items that expire."""
