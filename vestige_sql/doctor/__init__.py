"""What is wrong with a column of vectors now, and what a change of its model would meet."""
