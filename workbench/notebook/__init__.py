"""What notebooks show: plots, graphs and the mapping editor."""
