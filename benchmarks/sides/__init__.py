"""What is measured: one file for each thing compared, one function for each figure."""
