"""What tests share and no test is: generated data, jobs as processes, and pages that are read."""
