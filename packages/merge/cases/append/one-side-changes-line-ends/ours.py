one
two()
