"""What reuse is worth on a GPU with models of full size, in one command of less than four minutes."""
