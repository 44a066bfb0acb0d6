"""What is measured: each case is a program that scores the same dataset once."""
