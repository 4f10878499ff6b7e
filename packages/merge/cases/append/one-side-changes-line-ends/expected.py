one
two()
three()
