"""What ``make demo`` needs beside the application itself."""
