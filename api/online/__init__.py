"""Answer single requests from the pools that score the datasets."""
